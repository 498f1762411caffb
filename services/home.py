"""Where a service is at home: one process to a folder, and its own code from one place."""

from __future__ import annotations

import fcntl
import importlib.util
import os
from pathlib import Path
from typing import IO

from commons.process.errors import Unavailable
from protocol import codes

_LOCK = ".lock"


def take(home: Path) -> IO[str]:
    """The home folder, readable by its owner only, and its lock: one process per home, since SQLite has one writer."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        home.chmod(0o700)
        file = (home / _LOCK).open("a+")
    except OSError as error:
        what = f"cannot use HEADGATE_HOME={home}: {error.strerror}; choose a folder of your own"
        raise Unavailable(codes.SETTINGS_INVALID, what) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        what = f"process {file.read().strip() or '?'} already runs with HEADGATE_HOME={home}; stop it or choose another"
        raise Unavailable(codes.SETTINGS_INVALID, what) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def one_folder() -> None:
    """`services`, `protocol` and `commons` are names that others own too: ours lie in one folder."""
    folders = set()
    for name in ("services", "protocol", "commons"):
        found = importlib.util.find_spec(name)
        assert found is not None and found.origin is not None
        folders.add(Path(found.origin).parent.parent)
    if len(folders) > 1:
        what = f"packages services, protocol and commons come from several folders: {', '.join(map(str, folders))}"
        raise Unavailable(codes.SETTINGS_INVALID, f"{what}; run in an environment of its own")


def holder(home: Path, locks: str | None = None) -> int | None:
    """The process that runs with a home, seen without a touch; `locks` is what /proc/locks says."""
    try:
        inode, pid = (home / _LOCK).stat().st_ino, (home / _LOCK).read_text().strip()
        held = (line.split() for line in (Path("/proc/locks").read_text() if locks is None else locks).splitlines())
    except OSError:
        return None
    for words in held:
        if "FLOCK" in words and pid in words and any(word.endswith(f":{inode}") for word in words):
            return int(pid)
    return None
