"""What a process says, line by line, in bounded memory: the process waits while its output is not taken."""

from __future__ import annotations

import asyncio
import codecs
from typing import NamedTuple

LONGEST_LINE = 1024 * 1024
"""Characters; a longer line comes in pieces."""
READ_BYTES = 16 * 1024
WAITING = 4
"""Reads that wait to be taken."""


class Piece(NamedTuple):
    """A line, or a piece of a long one; `begins` tells the first."""

    level: str
    text: str
    begins: bool


class Pieces:
    """What was read at a time, in order. Who reads waits for room; the end of a stream always has some."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[list[Piece] | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(WAITING)

    async def put(self, pieces: list[Piece]) -> None:
        await self._room.acquire()
        self._queue.put_nowait(pieces)

    def end(self) -> None:
        self._queue.put_nowait(None)

    async def get(self) -> list[Piece] | None:
        """None at the end of a stream."""
        pieces = await self._queue.get()
        if pieces is not None:
            self._room.release()
        return pieces


class Splitter:
    """Bytes as they come -> whole lines. Pure."""

    def __init__(self, level: str) -> None:
        self._level = level
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._begun: list[str] = []
        self._length = 0
        self._begins = True

    def feed(self, raw: bytes, *, end: bool = False) -> list[Piece]:
        """The lines that are whole now; at the `end` also the last, which nothing closes."""
        *whole, rest = self._decoder.decode(raw, end).split("\n")
        found: list[Piece] = []
        for text in whole:
            self._add(text)
            found.append(self._piece("".join(self._begun).rstrip("\r")))
            self._begins = True
        self._add(rest)
        if self._length >= LONGEST_LINE or (end and self._length):
            found.append(self._piece("".join(self._begun)))
            self._begins = False
        return found

    def _add(self, text: str) -> None:
        if text:
            self._begun.append(text)
            self._length += len(text)

    def _piece(self, text: str) -> Piece:
        self._begun, self._length = [], 0
        return Piece(self._level, text, self._begins)


async def read(stream: asyncio.StreamReader, level: str, taken: Pieces) -> None:
    """Put what the stream says, and its end, also when this is cancelled."""
    splitter = Splitter(level)
    try:
        while raw := await stream.read(READ_BYTES):
            if pieces := splitter.feed(raw):
                await taken.put(pieces)
        if pieces := splitter.feed(b"", end=True):
            await taken.put(pieces)
    finally:
        taken.end()
