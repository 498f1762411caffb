"""Wakes whoever waits for a change of requests or engines. A missed wake-up costs delay, never truth."""

from __future__ import annotations

import asyncio
import contextlib


class News:
    """`wake` after each commit; a waiter names the version it has seen, so that nothing falls between."""

    def __init__(self) -> None:
        self.version = 0
        self._changed = asyncio.Event()

    def wake(self) -> None:
        self.version += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def wait(self, seen: int, at_most_seconds: float) -> None:
        """Return when the version is above `seen`, or when the time is over."""
        if self.version == seen:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(at_most_seconds):
                    await self._changed.wait()
