"""Folders and files that a tenant names: reached from a folder on, part by part, through no symbolic link.

What a name leads to cannot be exchanged for something else between the look and the use.
"""

from __future__ import annotations

import contextlib
import fnmatch
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_DEEPEST = 50
ANYTHING = ("**", "*")


@contextlib.contextmanager
def folder(root: Path | int, parts: Sequence[str]) -> Iterator[int]:
    """The folder that `parts` lead to, as a descriptor. Raises OSError."""
    at = os.dup(root) if isinstance(root, int) else os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts:
            inner = os.open(part, _FOLDER, dir_fd=at)
            os.close(at)
            at = inner
        yield at
    finally:
        os.close(at)


def matching(root: int, pattern: Sequence[str], deep: int = 0) -> Iterator[str]:
    """Files below `root` whose path matches, in no order; `**` stands for any folders. A dot is matched by a dot."""
    first, rest = pattern[0], pattern[1:]
    if first == "**" and not rest:
        rest = ("*",)
    if first == "**":
        yield from matching(root, rest, deep)
    names = _names(root, folders=bool(rest))
    for name in names:
        if name.startswith(".") and not first.startswith("."):
            continue
        if not rest and fnmatch.fnmatchcase(name, first):
            yield name
        if rest and deep < _DEEPEST and (first == "**" or fnmatch.fnmatchcase(name, first)):
            with contextlib.suppress(OSError), folder(root, (name,)) as inner:
                for path in matching(inner, pattern if first == "**" else rest, deep + 1):
                    yield f"{name}/{path}"


def open_file(root: int, path: str, owner: int | None = None) -> BinaryIO:
    """A plain file below `root`, for reading; of `owner` (a user's number) if one is given. Raises OSError."""
    *above, name = path.split("/")
    with folder(root, above) as at:
        descriptor = os.open(name, _FILE, dir_fd=at)
    about = os.fstat(descriptor)
    if not stat.S_ISREG(about.st_mode) or owner not in (None, about.st_uid):
        os.close(descriptor)
        whose = "it is no plain file" if not stat.S_ISREG(about.st_mode) else "it belongs to somebody else"
        raise PermissionError(0, whose)
    return os.fdopen(descriptor, "rb")


def _names(at: int, *, folders: bool) -> list[str]:
    with os.scandir(at) as entries:
        return [
            entry.name
            for entry in entries
            if (entry.is_dir(follow_symlinks=False) if folders else entry.is_file(follow_symlinks=False))
        ]
