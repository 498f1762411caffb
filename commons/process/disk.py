"""A disk without room, told as what it is: which folder lacks it, and that making some there is the fix."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import disk_usage

from commons.process.errors import Unavailable

NOT_WRITTEN = 100009  # as in protocol/codes.py, which this layer may not import
LEAST_BYTES = 64 * 1024
"""A disk with less than this is full: not every file system gives its last bytes away."""


def is_full(error: BaseException) -> bool:
    """Whether the error says that there is no room, or that a quota is used up."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def has_room(folder: Path) -> bool:
    """Whether anything can be written there; a folder that cannot be asked has room."""
    with suppress(OSError):
        return disk_usage(folder).free >= LEAST_BYTES
    return True


def no_room(folder: Path | str) -> str:
    """What is wrong and how it is put right."""
    return f"there is no room left on the disk of {folder}; make some, and it goes on"


@contextmanager
def told(folder: Path | str) -> Iterator[None]:
    """Raise Unavailable instead of the error of a full disk."""
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise Unavailable(NOT_WRITTEN, no_room(folder)) from error
        raise
