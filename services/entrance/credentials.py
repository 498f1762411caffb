"""$HEADGATE_HOME/credentials.json: where the service is and how its first administrator gets in. Mode 0600."""

from __future__ import annotations

import json
import os
from pathlib import Path


def write(path: Path, url: str, fresh: tuple[str, str] | None) -> None:
    """Keep the file's user, password and token, or take the fresh (password, token); `url` is always this start's."""
    try:
        kept = json.loads(path.read_text())
    except (OSError, ValueError):
        kept = {}
    if fresh is not None:
        kept = {"user": "admin", "password": fresh[0], "token": fresh[1]}
    if not kept or not isinstance(kept, dict):
        return  # somebody removed or spoiled it: its secrets are known to nobody here
    temporary = path.with_name(".credentials.json")
    temporary.unlink(missing_ok=True)
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({"url": url, **{key: value for key, value in kept.items() if key != "url"}}, file, indent=2)
    temporary.rename(path)
