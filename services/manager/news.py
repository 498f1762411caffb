"""Wakes whoever waits for a change of requests or engines. A missed wake-up costs delay, never truth."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Collection, Iterator
from functools import partial

from commons.database.marks import after_commit
from protocol.values import JobRef
from services.manager.rows import Engine


class Listener:
    """What one who listens has not been told yet."""

    def __init__(self) -> None:
        self._names: set[JobRef] = set()
        self._told = asyncio.Event()
        self._whole_at = 0.0

    def tell(self, names: Collection[JobRef] | None) -> None:
        """These requests have changed; None: any may have."""
        if names is None:
            self._whole_at = 0.0
        else:
            self._names.update(names)
        self._told.set()

    async def next(self, whole_seconds: float) -> Collection[JobRef] | None:
        """Once there is something: the changed requests. None: look at all, at first and so often anyway."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._whole_at - time.monotonic()):
                await self._told.wait()
        self._told.clear()
        names, self._names = self._names, set()
        if time.monotonic() < self._whole_at:
            return names
        self._whole_at = time.monotonic() + whole_seconds
        return None


class News:
    """`wake` is for who looks after engines, the others for who listens to requests.

    Inside a transaction, they are told once it is committed.
    """

    def __init__(self) -> None:
        self.version = 0
        self._changed = asyncio.Event()
        self._listeners: set[Listener] = set()

    def wake(self) -> None:
        """Engines are wanted that were not, or no longer."""
        after_commit(self._wake)

    def _wake(self) -> None:
        self.version += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def wait(self, seen: int, at_most_seconds: float) -> None:
        """Return when the version is above `seen`, or when the time is over."""
        if self.version == seen:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(at_most_seconds):
                    await self._changed.wait()

    def changed(self, names: Collection[JobRef] | None) -> None:
        """These requests are not as they were; None: any may be so."""
        after_commit(partial(self._tell, names))

    def engine_changed(self, engine: Engine | None) -> None:
        """The engine is not as it was, and so is the request that holds it; None: it is."""
        if engine is not None and engine.holder is not None:
            self.changed([engine.holder])

    def _tell(self, names: Collection[JobRef] | None) -> None:
        for listener in self._listeners:
            listener.tell(names)

    @contextlib.contextmanager
    def listening(self) -> Iterator[Listener]:
        """Hears of all changes from now on."""
        listener = Listener()
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)
