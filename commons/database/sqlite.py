"""SQLite without a change of threads for what cannot take long: two changes cost more than a short transaction itself.

A write transaction only touches pages in memory and appends to the log (WAL); what waits for the disk, copying the log
into the database, is done aside (`Checkpoints`). To a connection's own thread goes what may take long: waiting for a
lock that another process has, and the queries of readers.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable
from typing import Any

import aiosqlite
from sqlalchemy import event
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from commons.process import loops

PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=NORMAL",
    "foreign_keys=ON",
    "secure_delete=ON",  # a live row holds the secrets of its job
)
LOCK_MS = 30_000
"""How long to wait for who else writes: an administrator's own tool."""
CHECKPOINT_LOOK_SECONDS, CHECKPOINT_SECONDS, CHECKPOINT_WRITES = 0.5, 30.0, 500
"""How often it is looked, and after how long or how many writes the log is copied."""
_SHORT = ("cursor", "close")
_BEGIN_WRITE = "BEGIN IMMEDIATE"


class _Connection(aiosqlite.Connection):
    """Its thread and the event loop never work on the connection at once, also after a call was cancelled."""

    _given = _done = 0

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self._given == self._done and self._is_short(fn, args):
            return fn(*args, **kwargs)
        return await self._in_thread(fn, *args, **kwargs)

    async def _in_thread(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self._given += 1
        return await super()._execute(self._counted, fn, *args, **kwargs)  # type: ignore[no-untyped-call]

    def _counted(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return fn(*args, **kwargs)
        finally:
            self._done += 1

    def _is_short(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> bool:
        return fn.__name__ in _SHORT and fn != self._conn.close


class _Reader(_Connection):
    def _is_short(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> bool:
        return super()._is_short(fn, args) or fn.__name__ == "rollback" or args[:1] == ("BEGIN",)


class _Writer(_Connection):
    def _is_short(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> bool:
        return fn != self._conn.close

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if args[:1] != (_BEGIN_WRITE,):
            return await super()._execute(fn, *args, **kwargs)
        if self._given == self._done:
            if self._conn.in_transaction:  # who waited for the lock was cancelled
                self._conn.rollback()
            with contextlib.suppress(sqlite3.OperationalError):  # somebody else has the lock
                return fn(*args, **kwargs)
        return await self._in_thread(self._patiently, fn, *args, **kwargs)

    def _patiently(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self._conn.in_transaction:
            self._conn.rollback()
        self._conn.execute(f"PRAGMA busy_timeout={LOCK_MS}")
        try:
            return fn(*args, **kwargs)
        finally:
            self._conn.execute("PRAGMA busy_timeout=0")


class Checkpoints:
    """Copies what the log holds into the database, in a thread, when enough was written or some time has passed.

    What was written meanwhile is copied in a writer's `turn`: only when all is copied does the next write begin the log
    anew (for which SQLite waits for the disk once), instead of making it longer.
    """

    def __init__(self, path: str, turn: asyncio.Lock) -> None:
        self._path = path
        self._turn = turn
        self.writes = 0
        """Transactions since the last one."""
        self._since = time.monotonic()
        self._running = asyncio.create_task(loops.repeat("copying SQLite's log", self._round, CHECKPOINT_LOOK_SECONDS))

    async def _round(self) -> None:
        late = time.monotonic() - self._since > CHECKPOINT_SECONDS
        if self.writes >= CHECKPOINT_WRITES or (self.writes and late):
            await asyncio.to_thread(self.copy)
            async with self._turn:
                await asyncio.to_thread(self.copy)
                self.writes, self._since = 0, time.monotonic()

    def copy(self) -> None:
        """As much as nobody reads."""
        with contextlib.closing(sqlite3.connect(self._path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    async def stop(self) -> None:
        await loops.end(self._running)


def writer(url: URL) -> AsyncEngine:
    """One connection, whose transactions begin with the lock: one that reads first cannot die when it takes it."""
    return _engine(url, _Writer, _BEGIN_WRITE, ("busy_timeout=0", "wal_autocheckpoint=0"), 1)


def readers(url: URL) -> AsyncEngine:
    """A few connections, each transaction one consistent view."""
    return _engine(url, _Reader, "BEGIN", (f"busy_timeout={LOCK_MS}",), 4)


def _engine(url: URL, kind: type[_Connection], begin_with: str, pragmas: tuple[str, ...], size: int) -> AsyncEngine:
    def connect(*arguments: Any, **more: Any) -> aiosqlite.Connection:
        more["check_same_thread"] = False
        connection = kind(lambda: sqlite3.connect(*arguments, **more), iter_chunk_size=64)
        connection._thread.daemon = True
        return connection

    engine = create_async_engine(
        url, poolclass=AsyncAdaptedQueuePool, pool_size=size, max_overflow=0, hide_parameters=True,
        connect_args={"async_creator_fn": connect},
    )  # fmt: skip

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not begin transactions of its own
        cursor = connection.cursor()
        for pragma in (*PRAGMAS, *pragmas):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql(begin_with)

    return engine
