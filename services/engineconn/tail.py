"""Lines that a JVM appends to a file, as they come."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path

from services.engineconn.engine import LogLine

CHUNK = 1 << 16
LONGEST_LINE = 1 << 20
POLL_SECONDS = 0.05
_LOG_LINE = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) ([A-Z]+) (.*)$")
_LEVELS = {"WARN": "WARN", "ERROR": "ERROR", "FATAL": "ERROR"}


async def tail_log(path: Path, say: Callable[[LogLine], Awaitable[None]], stop: asyncio.Event) -> None:
    """`tail` of a log whose lines begin with `yyyy-MM-dd HH:mm:ss.SSS LEVEL`; other lines go with the one before."""
    stamp: tuple[str, int | None] = ("INFO", None)

    async def logged(line: str) -> None:
        nonlocal stamp
        if found := _LOG_LINE.match(line):
            at_ms = int(datetime.fromisoformat(found[1]).timestamp() * 1000)
            stamp, line = (_LEVELS.get(found[2], "INFO"), at_ms), found[3]
        await say(LogLine(stamp[0], line, stamp[1]))

    await tail(path, logged, stop)


async def tail(path: Path, give: Callable[[str], Awaitable[None]], stop: asyncio.Event) -> None:
    """Give every line appended from now on, until `stop` is set and what is there is given; then empty the file.

    An over-long line is given in pieces, so that memory stays bounded.
    """
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        rest, last = b"", False
        while not last:
            last = stop.is_set()  # looked at first: what was written before it was set still belongs to the reader
            while chunk := file.read(CHUNK):
                *lines, rest = (rest + chunk).split(b"\n")
                if len(rest) > LONGEST_LINE:
                    lines, rest = [*lines, rest], b""
                for line in lines:
                    await give(line.decode("utf-8", "replace"))
            if not last:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL_SECONDS):
                        await stop.wait()
    if rest:
        await give(rest.decode("utf-8", "replace"))
    os.truncate(path, 0)  # the JVM appends, so it goes on at the new end
