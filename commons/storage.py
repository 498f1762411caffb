"""The storage root: a `pyarrow.fs` URI under which results and logs are published."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from pyarrow import fs

from commons.process import disk, faults

_PART = ".part"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder; `size` in bytes, `modified_ms` since the epoch (0 when unknown)."""

    name: str
    is_file: bool
    size: int
    modified_ms: int


class Storage:
    """Paths are relative to the root, with `/`; nothing outside the root is reachable through them."""

    def __init__(self, uri: str) -> None:
        """Raises ValueError for a URI that no file system is known for. `self.uri` is it without its credentials."""
        self.uri = without_credentials(uri).rstrip("/")
        if uri.startswith("file://"):
            self._files, self._base = fs.LocalFileSystem(), uri.removeprefix("file://").rstrip("/")
        else:
            self._files, self._base = fs.FileSystem.from_uri(uri)

    def address(self, path: str) -> str:
        """The whole URI of a path, as users see it."""
        return f"{self.uri}/{path}"

    def relative(self, address: str) -> str | None:
        """The path of a URI under the root, or None when it lies elsewhere."""
        for prefix in (self.uri, self._base):
            if address.startswith(prefix + "/"):
                return address[len(prefix) + 1 :].strip("/")
        return None

    def disk(self) -> tuple[int, int] | None:
        """Free and all bytes of the disk under a local root; None when the root is elsewhere."""
        if not isinstance(self._files, fs.LocalFileSystem):
            return None
        base = Path(self._base)  # it comes to be with the first file
        used = shutil.disk_usage(next(folder for folder in (base, *base.parents) if folder.exists()))
        return used.free, used.total

    def publish(self, path: str, local: str) -> None:
        """Copy a local file to `path`; it appears there whole or not at all. Raises Unavailable without room."""
        with self._appearing(path) as part:
            fs.copy_files(local, part, source_filesystem=fs.LocalFileSystem(), destination_filesystem=self._files)

    def write(self, path: str, content: bytes) -> None:
        """Write a small file; it appears whole or not at all. Raises Unavailable without room."""
        with self._appearing(path) as part, self._files.open_output_stream(part) as sink:
            sink.write(content)

    def create(self, path: str) -> NewFile:
        """A file to write piece by piece, which nobody sees before it is kept. Raises Unavailable without room."""
        return NewFile(self._files, self._base, path)

    @contextlib.contextmanager
    def _appearing(self, path: str) -> Iterator[str]:
        """A name to write under, which becomes `path` when the block ends well; otherwise nothing stays."""
        target, part = f"{self._base}/{path}", f"{self._base}/{path}{_PART}"
        with disk.told(self._base):
            try:
                faults.reach("before storing")
                self._files.create_dir(target.rpartition("/")[0], recursive=True)
                yield part
                self._files.move(part, target)
                faults.reach("after storing")
            except OSError:
                with contextlib.suppress(OSError):
                    self._files.delete_file(part)
                raise

    def delete(self, path: str) -> None:
        """Remove a file, and one that a crash cut short; harmless when there is none."""
        for name in (path, path + _PART):
            with contextlib.suppress(FileNotFoundError):
                self._files.delete_file(f"{self._base}/{name}")

    def remove(self, path: str) -> None:
        """Remove a folder and all in it; harmless when there is none."""
        with contextlib.suppress(FileNotFoundError):
            self._files.delete_dir(f"{self._base}/{path}")

    def open(self, path: str) -> BinaryIO:
        """A seekable file to read. Raises FileNotFoundError."""
        return cast(BinaryIO, self._files.open_input_file(self._plain(path)))

    def read(self, path: str) -> bytes:
        """A whole small file. Raises FileNotFoundError."""
        with self.open(path) as file:
            return file.read()

    def size(self, path: str) -> int:
        """Bytes of all files in a folder and below; 0 when there is none."""
        selector = fs.FileSelector(f"{self._base}/{path}", allow_not_found=True, recursive=True)
        return sum(info.size or 0 for info in self._files.get_file_info(selector))

    def list(self, path: str, *, unfinished: bool = False) -> list[Entry]:
        """What a folder holds, sorted by name; nothing when it does not exist.

        `unfinished`: also what is being written or was cut short, under the name it shall have.
        """
        try:
            selector = fs.FileSelector(self._plain(path), allow_not_found=True)
        except FileNotFoundError:
            return []
        entries = [
            Entry(i.base_name.removesuffix(_PART), i.is_file, i.size or 0, (i.mtime_ns or 0) // 1_000_000)
            for i in self._files.get_file_info(selector)
            if unfinished or not i.base_name.endswith(_PART)
        ]
        return sorted(entries, key=lambda entry: entry.name)

    def _plain(self, path: str) -> str:
        """The path with its root. Raises FileNotFoundError where a symbolic link below the root leads elsewhere."""
        whole = f"{self._base}/{path}"
        if isinstance(self._files, fs.LocalFileSystem):
            root = os.path.realpath(self._base)
            if os.path.realpath(whole) != os.path.normpath(f"{root}/{path}"):
                raise FileNotFoundError(whole)
        return whole


class NewFile:
    """A file that comes piece by piece; made by `Storage.create`. It is closed, then read and kept, or discarded."""

    def __init__(self, files: fs.FileSystem, base: str, path: str) -> None:
        self._files = files
        self._base = base
        self._target, self._part = f"{base}/{path}", f"{base}/{path}{_PART}"
        with disk.told(base):
            faults.reach("before storing")
            files.create_dir(self._target.rpartition("/")[0], recursive=True)
            self._sink = files.open_output_stream(self._part)

    def write(self, content: bytes) -> None:
        """One more piece. Raises Unavailable without room."""
        with disk.told(self._base):
            self._sink.write(content)

    def close(self) -> None:
        """The last piece has been written. Raises Unavailable without room."""
        with disk.told(self._base):
            self._sink.close()

    def open(self) -> BinaryIO:
        """What was written, to read before it is kept; seekable."""
        return cast(BinaryIO, self._files.open_input_file(self._part))

    def keep(self) -> None:
        """It appears, whole; on a local disk it outlasts a loss of power. Raises Unavailable without room."""
        with disk.told(self._base):
            local = isinstance(self._files, fs.LocalFileSystem)
            if local:
                _sync(self._part)
            self._files.move(self._part, self._target)
            if local:
                _sync(self._target.rpartition("/")[0])
            faults.reach("after storing")

    def discard(self) -> None:
        """Nothing of it stays, also when it was kept; harmless when there is nothing."""
        with contextlib.suppress(OSError):
            self._sink.close()
        for path in (self._part, self._target):
            with contextlib.suppress(FileNotFoundError):
                self._files.delete_file(path)


def _sync(path: str) -> None:
    """What was written at a path is on the disk: a file's content, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def without_credentials(uri: str) -> str:
    """The URI as it may be shown: without the user and password before its host."""
    scheme, mark, rest = uri.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}"
