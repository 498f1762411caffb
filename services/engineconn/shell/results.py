"""The files that a task leaves as result sets: which they are, and their rows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from services.engineconn.engine import Event, LogLine, ResultOpened, Rows
from services.engineconn.shell import places, tables
from services.engineconn.shell.json_rows import Unreadable

MOST_FILES = 1000
LONGEST_REASON = 500


class Left(NamedTuple):
    """A file that a task left, as its user calls it: a path below `folder` (a descriptor)."""

    folder: int
    path: str


def find(folder: int, patterns: Iterable[Sequence[str]], results: int) -> tuple[list[Left], list[str]]:
    """Files that match in a task's folder, and all in its folder for results, by name; and what is to be warned of."""
    found: dict[Left, None] = {}
    warnings = []
    for pattern in patterns:
        matched = [Left(folder, path) for path in places.matching(folder, pattern)]
        if not matched:
            warnings.append(f"no file matches {'/'.join(pattern)[:100]}, which results asks for")
        found |= dict.fromkeys(matched)
    found |= dict.fromkeys(Left(results, path) for path in places.matching(results, places.ANYTHING))
    known = [left for left in found if Path(left.path).suffix.lower() in tables.READERS]
    if len(known) < len(found):
        other = next(left.path for left in found if left not in known)
        kinds = ", ".join(tables.READERS)
        warnings.append(f"{other[:200]} becomes no result set: its name ends in none of {kinds}")
    if len(known) > MOST_FILES:
        warnings.append(f"{len(known)} files are left; the first {MOST_FILES} become result sets")
    return sorted(known, key=lambda left: left.path)[:MOST_FILES], warnings


async def rows(left: Left, number: int, owner: int | None, pause: tables.Pause) -> AsyncGenerator[Event, None]:
    """The file as result set `number`; a line of the log tells of it, or why it is none."""
    count, opened = 0, False
    try:
        with places.open_file(left.folder, left.path, owner) as file:
            suffix = Path(left.path).suffix.lower()
            schema, batches = await asyncio.to_thread(tables.read, file, suffix, pause)
            opened = True
            yield ResultOpened(0, schema)
            while (batch := await asyncio.to_thread(next, batches, None)) is not None:
                pause()
                count += batch.num_rows
                yield Rows(batch)
        yield LogLine("INFO", f"result set {number}: {left.path}, {count} rows")
    except (Unreadable, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        what = "is cut short" if opened else "becomes no result set"
        yield LogLine("WARN", f"{left.path} {what}: {' '.join(reason.split())[:LONGEST_REASON]}")
