"""Group commit: whoever writes at the same time shares one transaction, and is answered after its commit.

A transaction that fails is tried again for each write alone, so that each has its own answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from commons.database.connections import Database
from commons.process import telemetry

Item = TypeVar("Item")
Result = TypeVar("Result")

Waiting = tuple[Item, asyncio.Future[Result]]

LARGEST = 200
"""Items in one transaction."""
LINGER_SECONDS = 0.006
"""Writes that follow each other sooner than this are worth waiting for: a transaction costs more than what is in it."""
LONE_WRITES = 8
"""So often one who waited for nobody does not wait again."""

_ITEMS = telemetry.histogram(
    "database_batch_items", "Writes that shared one transaction.", buckets=(1, 2, 5, 10, 20, 50, 100, LARGEST)
)


class Batch(Generic[Item, Result]):
    """`write_many(tx, items)` writes all items and returns, in order, each one's result or the exception it gets."""

    def __init__(
        self,
        db: Database,
        write_many: Callable[[AsyncConnection, Sequence[Item]], Awaitable[Sequence[Result | Exception]]],
    ) -> None:
        self._db = db
        self._write_many = write_many
        self._waiting: list[Waiting[Item, Result]] = []
        self._writing: asyncio.Task[None] | None = None
        self._last, self._busy, self._lone = 0.0, False, 0

    async def add(self, item: Item) -> Result:
        """Return the item's result once it is committed, or raise its exception."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._busy, self._last = loop.time() - self._last < LINGER_SECONDS, loop.time()
        self._waiting.append((item, future))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        return await future

    async def close(self) -> None:
        """Wait until everything added is written."""
        if self._writing is not None:
            await self._writing

    async def _write(self) -> None:
        while self._waiting:
            await self._linger()
            taken, self._waiting = self._waiting[:LARGEST], self._waiting[LARGEST:]
            _ITEMS.observe(len(taken))
            if len(taken) == 1 or not await self._together(taken, last=False):
                for each in taken:
                    await self._together([each], last=True)

    async def _linger(self) -> None:
        """Where writes come in short intervals from several, the next ones come along; who is alone goes on at once."""
        if not self._busy:
            return
        if self._lone > 0:
            self._lone -= 1
            return
        await asyncio.sleep(LINGER_SECONDS)
        if len(self._waiting) == 1:
            self._lone = LONE_WRITES

    async def _together(self, taken: Sequence[Waiting[Item, Result]], *, last: bool) -> bool:
        """Whether all are written and answered; the `last` try is answered with what it failed of."""
        try:
            async with self._db.write() as tx:
                results = await self._write_many(tx, [item for item, _ in taken])
                answers = list(zip(taken, results, strict=True))
        except Exception as error:
            for _, future in taken if last else ():
                if not future.done():
                    future.set_exception(error)
            return False
        for (_, future), result in answers:
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
        return True


async def each(
    tx: AsyncConnection, writes: Sequence[Callable[[AsyncConnection], Awaitable[Result]]]
) -> Sequence[Result | Exception]:
    """Writes that have nothing in common but their transaction, one after the other: for a `Batch` of functions."""
    return [await write(tx) for write in writes]
