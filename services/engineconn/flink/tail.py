"""Lines that the JVM appends to a file, as they come."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

CHUNK = 1 << 16
LONGEST_LINE = 1 << 20
POLL_SECONDS = 0.05


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
