"""Log lines, sorted into Linkis' four texts: error, warn, info, all."""

from __future__ import annotations

import re
from collections.abc import Sequence

_LEVEL = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[.,]\d+ ([A-Z]+)[ -]")
_SLOTS = {"ERROR": 0, "FATAL": 0, "WARN": 1}

DEFAULT_SIZE = 100
LARGEST_SIZE = 10_000
LARGEST_LOG = 30_000_000
"""Characters of a log in one answer."""


def window(from_line: int, size: int) -> tuple[int, int]:
    """First line and number of lines, by Linkis' rules for negatives; never more than a reply can hold."""
    return max(0, from_line), LARGEST_SIZE if size < 0 else min(size, LARGEST_SIZE)


def begins_entry(line: str) -> bool:
    """Whether it has a time and a level; one that has not goes with the line before it."""
    return _LEVEL.match(line) is not None


def levels(lines: Sequence[str]) -> list[str]:
    """[error, warn, info, all]; a line without a level goes with the one before it, at first with info."""
    slots: list[list[str]] = [[], [], []]
    slot = 2
    for line in lines:
        found = _LEVEL.match(line)
        if found is not None:
            slot = _SLOTS.get(found[1], 2)
        slots[slot].append(line)
    return ["\n".join(texts) for texts in (*slots, list(lines))]


def chosen(four: list[str], wanted: str) -> list[str]:
    """Only the slots that a `logLevel` (all, or a list of error, warn, info) asks for."""
    names = {name.strip().lower() for name in wanted.split(",") if name.strip()}
    if not names or "all" in names:
        return four
    return [text if name in names else "" for name, text in zip(("error", "warn", "info", "all"), four, strict=True)]
