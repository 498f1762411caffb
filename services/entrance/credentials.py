"""$HEADGATE_HOME/credentials.json: where the service is and how its first administrator gets in. Mode 0600."""

from __future__ import annotations

import json
import os
from pathlib import Path


def write_fresh(path: Path, url: str, password: str, token: str) -> None:
    """The secrets of a new administrator."""
    _write(path, {"url": url, "user": "admin", "password": password, "token": token})


def write_url(path: Path, url: str) -> None:
    """This start's URL; what else the file holds is kept. One that somebody removed or spoiled stays so."""
    try:
        kept = json.loads(path.read_text())
    except (OSError, ValueError):
        return
    if isinstance(kept, dict) and kept:
        _write(path, {**kept, "url": url})


def _write(path: Path, content: dict[str, str]) -> None:
    temporary = path.with_name(".credentials.json")
    temporary.unlink(missing_ok=True)
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
