"""Wakes whoever waits for a change of requests or engines. A missed wake-up costs delay, never truth."""

from __future__ import annotations

import asyncio
import contextlib


class News:
    """`wake` after each commit; `wait` returns at the next wake-up, or when its time is over."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def wait(self, at_most_seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), at_most_seconds)
