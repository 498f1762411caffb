"""A zip file from strangers, opened with care: nothing in it leads elsewhere, and it unpacks to a bounded size.

What is read of it is its directory, and then single entries up to a limit; it is never unpacked here.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from itertools import pairwise
from typing import BinaryIO

MOST_ENTRIES = 100_000
LARGEST_DIRECTORY = 32 * 2**20
"""Bytes of the directory at its end."""
LARGEST_UNPACKED = 4 * 2**30
LARGEST_RATIO = 200
"""How much larger than packed it may be as a whole; text comes near 10."""
SMALL = 64 * 2**20
"""What unpacks to less is no bomb, whatever its ratio."""

_END, _END_64 = b"PK\x05\x06", b"PK\x06\x06"
_LOCATOR_64 = b"PK\x06\x07"
_ENTRY = b"PK\x01\x02"
_ENCRYPTED = 1
_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class NoZip(Exception):
    """Why it is none, or none that is taken."""


def opened(file: BinaryIO) -> zipfile.ZipFile:
    """The zip file, once its directory has been looked at. Raises NoZip."""
    _check_directory(file)
    try:
        found = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise NoZip(f"it cannot be read: {error}") from None
    entries = found.infolist()
    for entry in entries:
        _check_name(entry.filename)
        if entry.flag_bits & _ENCRYPTED:
            raise NoZip(f"{_shown(entry.filename)} in it is encrypted")
        if entry.compress_type not in _PACKED:
            raise NoZip(f"{_shown(entry.filename)} in it is packed in a way that Java does not read")
    _check_sizes(entries, found.start_dir)
    return found


def read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int) -> bytes | None:
    """An entry's content, or None when it has more than `most` bytes or cannot be read."""
    if entry.file_size > most:
        return None
    try:
        with archive.open(entry) as content:
            found = content.read(most + 1)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError):
        return None
    return found if len(found) <= most else None


def _check_directory(file: BinaryIO) -> None:
    """Whether the directory is of a size that may be read into memory; so it is before anything of it is."""
    size = file.seek(0, 2)
    tail_at = max(0, size - 65_535 - 22)
    file.seek(tail_at)
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < 22:
        raise NoZip("it has not the end of a zip file; it may be cut short")
    (length,) = struct.unpack_from("<I", tail, at + 12)
    end = tail_at + at
    if at >= 20 and tail[at - 20 : at - 16] == _LOCATOR_64:
        file.seek(max(0, end - 20 - 56))
        record = file.read(56)
        if record[:4] != _END_64:
            raise NoZip("its directory cannot be found")
        length = struct.unpack_from("<Q", record, 40)[0]
        end -= 76
    if length > LARGEST_DIRECTORY:
        raise NoZip(f"its directory is over {LARGEST_DIRECTORY >> 20} MiB")
    if length > end:
        raise NoZip("its directory cannot be found")
    file.seek(end - length)
    _check_count(file.read(length))
    file.seek(0)


def _check_count(directory: bytes) -> None:
    at = count = 0
    while directory[at : at + 4] == _ENTRY and at + 46 <= len(directory):
        count += 1
        if count > MOST_ENTRIES:
            raise NoZip(f"it has more than {MOST_ENTRIES} entries")
        at += 46 + sum(struct.unpack_from("<HHH", directory, at + 28))


def _check_name(name: str) -> None:
    parts = name.replace("\\", "/").split("/")
    if not name or name.startswith(("/", "\\")) or ".." in parts or ":" in parts[0] or "\0" in name:
        raise NoZip(f"the entry {_shown(name)} in it leads out of the folder it is unpacked to")


def _check_sizes(entries: list[zipfile.ZipInfo], end: int) -> None:
    """Entries lie one behind the other: none is there twice, so what is unpacked is bounded by what was packed."""
    places = sorted((entry.header_offset, entry.header_offset + 30 + entry.compress_size) for entry in entries)
    for (_, behind), (begin, _) in pairwise([*places, (end, end)]):
        if behind > begin:
            raise NoZip("its entries lie over each other, as those of a zip bomb")
    packed, unpacked = (sum(getattr(entry, size) for entry in entries) for size in ("compress_size", "file_size"))
    if unpacked > LARGEST_UNPACKED or (unpacked > SMALL and unpacked > LARGEST_RATIO * packed):
        raise NoZip(f"{packed} bytes in it unpack to {unpacked}, as those of a zip bomb")


def _shown(name: str) -> str:
    return repr(name[:80])
