"""Time, as a thing that can be passed in and turned by hand in tests."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol


class Clock(Protocol):
    """What a module may ask about time."""

    def now_ms(self) -> int:
        """Wall-clock time in milliseconds since the epoch."""


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


def to_datetime(ms: int) -> datetime:
    """Epoch milliseconds as a naive UTC datetime, the form in which the database keeps time."""
    return datetime.fromtimestamp(ms / 1000, UTC).replace(tzinfo=None)


def to_ms(value: datetime) -> int:
    """A naive UTC datetime of the database as epoch milliseconds."""
    return round(value.replace(tzinfo=UTC).timestamp() * 1000)


def log_time(ms: int) -> str:
    """Local time as a log line shows it: yyyy-MM-dd HH:mm:ss.SSS."""
    return f"{_second(ms // 1000)}.{ms % 1000:03d}"


@lru_cache(maxsize=16)
def _second(seconds: int) -> str:
    """Most lines of a log are of the same second as the line before."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
