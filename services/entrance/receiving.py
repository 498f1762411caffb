"""A file as it comes from a client: to the storage root piece by piece, counted and summed, seen by nobody yet."""

from __future__ import annotations

import asyncio
import hashlib
from typing import BinaryIO

from commons.process.errors import Invalid, TooLarge
from commons.storage import NewFile
from protocol import codes

PIECE = 2**20
"""Bytes that are written at once."""


class Incoming:
    """One such file: written, finished, kept; whenever it is discarded, nothing of it stays. `path` is where it lies
    under the storage root; `is_kept` says that it is somebody's now, and not to be discarded."""

    def __init__(self, file: NewFile, path: str, largest: int) -> None:
        self._file = file
        self._largest = largest
        self._waiting = bytearray()
        self._sum = hashlib.sha256()
        self.path = path
        self.size = 0
        self.is_kept = False

    @property
    def sha256(self) -> str:
        """Of what was written, once it is finished."""
        return self._sum.hexdigest()

    async def write(self, content: bytes) -> None:
        """One more piece. Raises TooLarge beyond the limit, Unavailable without room."""
        self.size += len(content)
        if self.size > self._largest:
            what = f"the file is over {self._largest} bytes; HEADGATE_ARTIFACT_MB allows no more"
            raise TooLarge(codes.REQUEST_INVALID, what, field="file")
        self._waiting += content
        if len(self._waiting) >= PIECE:
            await self._flush()

    async def finish(self, sha256: str = "") -> None:
        """The file is there, whole. Raises Invalid when it has not the sum that its sender told."""
        await self._flush()
        await asyncio.to_thread(self._file.close)
        if sha256 and sha256.lower() != self.sha256:
            what = f"the file came with another content than was sent: its sha256 is {self.sha256}; send it again"
            raise Invalid(codes.FIELD_INVALID, what, field="sha256")

    def open(self) -> BinaryIO:
        """What came, to read."""
        return self._file.open()

    async def keep(self) -> None:
        await asyncio.to_thread(self._file.keep)

    async def discard(self) -> None:
        await asyncio.to_thread(self._file.discard)

    async def _flush(self) -> None:
        content, self._waiting = bytes(self._waiting), bytearray()
        await asyncio.to_thread(self._write, content)

    def _write(self, content: bytes) -> None:
        self._sum.update(content)
        self._file.write(content)
