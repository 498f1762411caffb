"""Where the service is and as whom to ask: arguments, environment, the saved log-in, the service's own home."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from headgate.errors import NotLoggedIn


@dataclass(frozen=True)
class Credentials:
    """A URL, and a token or a log-in ticket of a user. Secrets do not show in `repr`."""

    url: str
    user: str
    token: str = ""
    ticket: str = ""

    def __repr__(self) -> str:
        return f"Credentials(url={self.url!r}, user={self.user!r})"


def saved_path() -> Path:
    """Where `headgate login` keeps its log-in."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "headgate" / "credentials.json"


def find(url: str | None = None, user: str | None = None, token: str | None = None) -> Credentials:
    """The first source that names each: arguments, HEADGATE_URL/USER/TOKEN, the saved log-in, the service's home.

    A secret is only taken from the source that also gives the user, so that nobody's token is sent for another.
    """
    env = {name: os.environ.get(f"HEADGATE_{name.upper()}") or None for name in ("url", "user", "token")}
    home = Path(os.environ.get("HEADGATE_HOME") or "~/.headgate").expanduser() / "credentials.json"
    files = [_read(saved_path()), _read(home)]
    url = url or env["url"]
    token, user = token or env["token"], user or env["user"]
    for kept in files:
        if url and kept.get("url") != url:
            continue
        if kept and not token and (user is None or user == kept.get("user")):
            found = Credentials(url or kept["url"], kept["user"], kept.get("token", ""), kept.get("ticket", ""))
            if found.token or found.ticket:
                return found
        url = url or kept.get("url")
    if not url:
        raise NotLoggedIn("no service is known: give --url, set HEADGATE_URL, or start one with 'make up'")
    if not user or not token:
        raise NotLoggedIn(f"not logged in at {url}: run 'headgate login', or set HEADGATE_USER and HEADGATE_TOKEN")
    return Credentials(url, user, token)


def save(credentials: Credentials) -> Path:
    """Keep a log-in for later commands, readable by its owner only."""
    path = saved_path()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(".credentials.json")
    temporary.unlink(missing_ok=True)
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({"url": credentials.url, "user": credentials.user, "ticket": credentials.ticket}, file)
    temporary.rename(path)
    return path


def _read(path: Path) -> dict[str, str]:
    try:
        kept = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) and kept.get("url") and kept.get("user") else {}
