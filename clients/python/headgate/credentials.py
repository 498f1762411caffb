"""Where the service is and as whom to ask: arguments, environment, the saved log-in, the service's own home."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from headgate.errors import NotLoggedIn


@dataclass(frozen=True)
class Credentials:
    """A URL, and a token or a log-in ticket of a user. Secrets do not show in `repr`.

    `named_by` is what gave the URL, for messages.
    """

    url: str
    user: str
    token: str = ""
    ticket: str = ""
    named_by: str = ""

    def __repr__(self) -> str:
        return f"Credentials(url={self.url!r}, user={self.user!r})"


def saved_path() -> Path:
    """Where `headgate login` keeps its log-in."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "headgate" / "credentials.json"


def home_path() -> Path:
    """Where a service on this machine keeps how its administrator gets in."""
    return Path(os.environ.get("HEADGATE_HOME") or "~/.headgate").expanduser() / "credentials.json"


def find(url: str | None = None, user: str | None = None, token: str | None = None) -> Credentials:
    """The first source that names each: arguments, HEADGATE_URL/USER/TOKEN, the saved log-in, the service's home.

    A secret never goes to another URL or for another user than its source names: what is kept in a file is used only
    where URL and user agree with it, HEADGATE_TOKEN only where HEADGATE_URL and HEADGATE_USER do, as far as they are
    set. Raises NotLoggedIn, saying what to do.
    """
    env = {name: os.environ.get(f"HEADGATE_{name.upper()}", "") for name in ("url", "user", "token")}
    kept = [found for path in (saved_path(), home_path()) if (found := _read(path)) is not None]
    where, named_by = _where(url, env["url"], kept)
    who = user or env["user"]
    if (env["url"] and with_scheme(env["url"]) != where) or env["user"] not in ("", who):
        env["token"] = ""
    if secret := token or env["token"]:
        if not who:
            raise NotLoggedIn("a token is one user's: give --user, or set HEADGATE_USER")
        return Credentials(where, who, secret, named_by=named_by)
    for found in kept:
        if found.url == where and who in ("", found.user):
            return Credentials(where, found.user, found.token, found.ticket, named_by)
    as_whom = f" as {who}" if who else ""
    raise NotLoggedIn(
        f"not logged in at {where}{as_whom}: run 'headgate login', or set HEADGATE_USER and HEADGATE_TOKEN"
    )


def choose(url: str | None, user: str | None, token: str | None, password: str | None) -> Credentials:
    """What `find` finds, or with a password where and as whom to log in. Raises NotLoggedIn."""
    if password is None:
        return find(url, user, token)
    if url and user:
        return Credentials(with_scheme(url), user)
    raise NotLoggedIn("a password is for one user at one URL: give both")


def with_scheme(url: str) -> str:
    """The URL as it is compared: localhost:9001/ is http://localhost:9001."""
    return (url if "://" in url else f"http://{url}").rstrip("/")


def save(credentials: Credentials) -> Path:
    """Keep a log-in for later commands, readable by its owner only; whole or not at all."""
    path = saved_path()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(".credentials.json")
    temporary.unlink(missing_ok=True)
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({"url": credentials.url, "user": credentials.user, "ticket": credentials.ticket}, file)
    temporary.rename(path)
    return path


def _where(argument: str | None, variable: str, kept: list[Credentials]) -> tuple[str, str]:
    """The URL, and what named it."""
    if argument:
        return with_scheme(argument), ""
    if variable:
        return with_scheme(variable), "HEADGATE_URL"
    if kept:
        return kept[0].url, kept[0].named_by
    raise NotLoggedIn("no service is known: give --url, set HEADGATE_URL, or start one with 'make up'")


def _read(path: Path) -> Credentials | None:
    """What a credentials file says; None when there is none, or none that helps."""
    try:
        kept = json.loads(path.read_text())
        url, user, token, ticket = (str(kept.get(name) or "") for name in ("url", "user", "token", "ticket"))
    except (OSError, ValueError, AttributeError):
        return None
    return Credentials(with_scheme(url), user, token, ticket, str(path)) if url and user and (token or ticket) else None
