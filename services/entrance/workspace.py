"""Users' workspace folders: what lies in them, new folders, uploads. No path leaves the user's own folder.

Paths are walked folder by folder from the workspace on, and no symbolic link is followed: what the path names cannot be
exchanged for something else in between.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from commons.process import disk
from commons.process.errors import Broken, Invalid, NotFound
from commons.storage import Entry
from protocol import codes
from services.entrance.wire.results import path_missing

SCHEME = "file://"
LONGEST_NAME = 255
LONGEST_PATH = 4000
"""In bytes, as file systems count."""
_TEMPORARY = ".upload-"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a user's workspace; `parts` lead there from its root. `address` is how the caller wrote it."""

    user: str
    parts: tuple[str, ...]
    address: str


class Workspaces:
    """All users' workspaces, below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def root(self, user: str) -> str:
        """The address of a user's workspace, which is made when it does not exist."""
        (self._folder / user).mkdir(mode=0o700, parents=True, exist_ok=True)
        return f"{SCHEME}{self._folder / user}"

    def place(self, address: str) -> Place | None:
        """The place an address (with scheme or without) names, or None when it is in no workspace."""
        prefix = f"{self._folder}/"
        path = address.removeprefix(SCHEME)
        if not path.startswith(prefix):
            return None
        names = [part for part in path[len(prefix) :].split("/") if part not in ("", ".")]
        if not names or ".." in names:
            return None
        return Place(names[0], tuple(names[1:]), address)

    def kind(self, place: Place) -> str:
        """`file`, `folder`, or nothing when there is neither; a symbolic link is neither."""
        try:
            with self._open(_parent(place)) as folder:
                mode = os.stat(place.parts[-1] if place.parts else ".", dir_fd=folder, follow_symlinks=False).st_mode
        except (OSError, ValueError, Invalid, NotFound):
            return ""
        return "folder" if stat.S_ISDIR(mode) else "file" if stat.S_ISREG(mode) else ""

    def list(self, place: Place) -> list[Entry]:
        """What the folder holds, sorted by name; symbolic links are left out. Raises NotFound."""
        entries = []
        with self._open(place) as folder, os.scandir(folder) as found:
            for each in found:
                info = each.stat(follow_symlinks=False)
                is_file = stat.S_ISREG(info.st_mode)
                if (is_file or stat.S_ISDIR(info.st_mode)) and not each.name.startswith(_TEMPORARY):
                    entries.append(Entry(each.name, is_file, info.st_size, info.st_mtime_ns // 1_000_000))
        return sorted(entries, key=lambda entry: entry.name)

    def read(self, place: Place, most: int) -> bytes | None:
        """A whole file, or None when it has more than `most` bytes. Raises NotFound."""
        if self.kind(place) != "file":
            raise path_missing(place.address)
        with self._open(_parent(place)) as folder:
            descriptor = os.open(place.parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        with open(descriptor, "rb") as file:
            content = file.read(most + 1)
        return content if len(content) <= most else None

    def make_folder(self, place: Place) -> None:
        """A new folder, with those above it; none of them unless all can be.

        Raises Invalid when there is something of that name.
        """
        _check_path(place)
        if self.kind(place):
            what = f"The created folder name:{place.address} is duplicated(创建的文件夹名:{place.address} 重复)"
            raise Invalid(codes.FOLDER_EXISTS, what, field="path")
        with self._open(place, make=True):
            pass

    def check_names(self, places: Sequence[Place]) -> None:
        """Whether a file can be written at each of the places. Raises Invalid, or NotFound without its folder."""
        for place in places:
            with self._open(_parent(place)):
                pass
            if self.kind(place) == "folder":
                raise _name_wrong(place.parts[-1])

    def write(self, place: Place, content: BinaryIO) -> None:
        """A file, in place of what was there; it appears whole or not at all.

        Raises NotFound without its folder, Unavailable without room.
        """
        with disk.told(self._folder / place.user), self._open(_parent(place)) as folder:
            temporary = f"{_TEMPORARY}{secrets.token_hex(8)}"
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666, dir_fd=folder)
            try:
                with open(descriptor, "wb") as file:
                    shutil.copyfileobj(content, file, 1 << 20)
                os.rename(temporary, place.parts[-1], src_dir_fd=folder, dst_dir_fd=folder)
            except IsADirectoryError:
                raise _name_wrong(place.parts[-1]) from None
            except OSError as error:
                if disk.is_full(error):
                    raise
                what = f"{place.address[:200]} cannot be written: {error.strerror}"
                raise Broken(codes.NOT_WRITTEN, what) from error
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(temporary, dir_fd=folder)

    def sweep(self, before: float) -> None:
        """Remove what uploads that were broken off before this time (seconds since the epoch) left."""
        if not self._folder.is_dir():
            return
        for _, _, names, folder in os.fwalk(self._folder):
            for name in names:
                with contextlib.suppress(OSError):
                    if name.startswith(_TEMPORARY) and os.stat(name, dir_fd=folder).st_mtime < before:
                        os.unlink(name, dir_fd=folder)

    @contextlib.contextmanager
    def _open(self, place: Place, *, make: bool = False) -> Iterator[int]:
        """The folder at a place, as a descriptor; with `make` folders that lack are made."""
        root = self._folder / place.user
        try:
            folder = os.open(root, _FOLDER)
        except (OSError, ValueError):
            raise path_missing(place.address) from None
        try:
            for part in place.parts:
                inner = _enter(folder, part, place, make=make)
                os.close(folder)
                folder = inner
            yield folder
        finally:
            os.close(folder)


def checked_file_name(name: str) -> str:
    """The name, if a file may have it; of a whole path only the last part. Raises Invalid."""
    name = name.replace("\\", "/").rpartition("/")[2]
    if name in ("", ".", "..") or "\0" in name or len(os.fsencode(name)) > LONGEST_NAME:
        raise _name_wrong(name)
    return name


def _enter(folder: int, part: str, place: Place, *, make: bool) -> int:
    try:
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, dir_fd=folder)
        return os.open(part, _FOLDER, dir_fd=folder)
    except (FileNotFoundError, NotADirectoryError):
        raise path_missing(place.address) from None
    except (OSError, ValueError) as error:  # a symbolic link, a name too long, a NUL
        raise Invalid(codes.PATH_FORBIDDEN, f"{place.address[:200]} cannot be entered: {error}", field="path") from None


def _check_path(place: Place) -> None:
    """Refuse a path that could be made in part only."""
    names = [os.fsencode(part) for part in place.parts]
    too_long = any(len(name) > LONGEST_NAME for name in names) or sum(map(len, names)) + len(names) > LONGEST_PATH
    if too_long or any(b"\0" in name for name in names):
        what = f"{place.address[:200]!r} cannot be a path here: each name has 1 to {LONGEST_NAME} bytes and no NUL"
        raise Invalid(codes.PATH_FORBIDDEN, f"{what}, all of them at most {LONGEST_PATH}", field="path")


def _parent(place: Place) -> Place:
    return Place(place.user, place.parts[:-1], place.address)


def _name_wrong(name: str) -> Invalid:
    return Invalid(codes.FIELD_INVALID, f"{name[:60]!r} cannot be a file's name here; choose another", field="file")
