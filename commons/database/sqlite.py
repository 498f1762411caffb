"""SQLite without a change of threads for what cannot take long: two changes cost more than a short statement itself.

What may wait goes to the connection's own thread: to begin a write (for the lock), to commit (for the disk), and
queries of readers (for as long as they take). A statement of a write transaction only touches pages in memory.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import aiosqlite
from sqlalchemy import event
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=NORMAL",
    "busy_timeout=30000",
    "foreign_keys=ON",
    "secure_delete=ON",  # a live row holds the secrets of its job
)
_SHORT = ("cursor", "close")


class _Connection(aiosqlite.Connection):
    """Its thread and the event loop never work on the connection at once, also after a call was cancelled."""

    _given = _done = 0

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self._given == self._done and self._is_short(fn, args):
            return fn(*args, **kwargs)
        self._given += 1
        return await super()._execute(self._counted, fn, *args, **kwargs)  # type: ignore[no-untyped-call]

    def _counted(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return fn(*args, **kwargs)
        finally:
            self._done += 1

    def _is_short(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> bool:
        return fn.__name__ in _SHORT and fn != self._conn.close


class _Writer(_Connection):
    def _is_short(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> bool:
        ending = fn in (self._conn.commit, self._conn.rollback)
        return super()._is_short(fn, args) or (self._conn.in_transaction and not ending)


class _Reader(_Connection):
    def _is_short(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> bool:
        return super()._is_short(fn, args) or args[:1] == ("BEGIN",)


def writer(url: URL) -> AsyncEngine:
    """One connection, whose transactions begin with the lock: one that reads first cannot die when it takes it."""
    return _engine(url, _Writer, "BEGIN IMMEDIATE", 1)


def readers(url: URL) -> AsyncEngine:
    """A few connections, each transaction one consistent view."""
    return _engine(url, _Reader, "BEGIN", 4)


def _engine(url: URL, kind: type[_Connection], begin_with: str, size: int) -> AsyncEngine:
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
        for pragma in PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql(begin_with)

    return engine
