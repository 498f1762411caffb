"""One database: transactions to write in, transactions to read in, and the marks that keep calls out of them.

SQLite (the embedded default) has one writer connection, used by one transaction at a time, and a few readers: many
writers would only starve each other.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import BigInteger, DateTime, Integer, MetaData
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from commons.database import marks, sqlite
from commons.process import disk, faults, telemetry
from commons.process.errors import Unavailable

Transaction = AsyncConnection
"""What store functions take, and use-case modules pass on."""

Row = sqlalchemy.Row[Any]
"""What store functions read."""

RowMapping = sqlalchemy.RowMapping
"""A row by its columns' names."""

_WAIT = telemetry.histogram("database_wait_seconds", "How long a write transaction waited until it could begin.")
_TRANSACTION = telemetry.histogram(
    "database_transaction_seconds", "Write transactions, from their begin to their end.", ("outcome",)
)
_BROKEN_FILE = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN")

METADATA = MetaData()
"""All tables of all owners; `services/schema.py` creates them."""

BigId = BigInteger().with_variant(Integer, "sqlite")
"""A 64-bit key that counts up: SQLite does so only for a column declared INTEGER."""

MilliTime = DateTime().with_variant(mysql.DATETIME(fsp=3), "mysql", "mariadb")
"""Naive UTC time with milliseconds."""


class Database:
    """Use `await Database.open(url)`; close it with `close()`."""

    def __init__(self, writer: AsyncEngine, readers: AsyncEngine, path: str | None = None) -> None:
        """With the `path` of SQLite's file there is one writer."""
        self._writer = writer
        self._readers = readers
        self._turn = asyncio.Lock()
        self._checkpoints = sqlite.Checkpoints(path, self._turn) if path is not None else None
        self._single: AsyncConnection | None = None
        self.failures = 0
        """Transactions that failed because of the database, not of what was written."""

    @classmethod
    async def open(cls, url: str) -> Database:
        """Connect; raises what the driver raises when the database does not answer."""
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite":
            engine = create_async_engine(
                parsed, pool_pre_ping=True, isolation_level="READ COMMITTED", hide_parameters=True
            )
            return cls(engine, engine)
        return cls(sqlite.writer(parsed), sqlite.readers(parsed), parsed.database or "")

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: committed when the block ends well, rolled back otherwise. Keep it short.

        Raises Unavailable when there is no room, or when SQLite's file cannot be written for another reason.
        """
        with marks.transaction(), self._failing():
            asked, outcome = time.perf_counter(), "rolled_back"
            async with self._turn if self._checkpoints else nullcontext():
                began = time.perf_counter()
                _WAIT.observe(began - asked)
                try:
                    async with self._begun() as tx:
                        yield tx
                        faults.reach("before commit")
                    outcome = "committed"
                finally:
                    _TRANSACTION.labels(outcome).observe(time.perf_counter() - began)
            faults.reach("after commit")

    @asynccontextmanager
    async def _begun(self) -> AsyncIterator[AsyncConnection]:
        if self._checkpoints is None:
            async with self._writer.begin() as tx:
                yield tx
            return
        if self._single is None or self._single.closed or self._single.invalidated:
            self._single = await self._writer.connect()  # and kept: giving it back would roll back once more
        try:
            async with self._single.begin():
                yield self._single
            self._checkpoints.writes += 1
        finally:
            if self._single.in_transaction():  # it could not even be rolled back
                await self._single.invalidate()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """One consistent view; nothing written in it is kept."""
        with self._failing():
            async with self._readers.connect() as tx:
                yield tx

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError:
            raise
        except DBAPIError as error:
            self.failures += 1
            name = getattr(error.orig, "sqlite_errorname", "")
            if not name.startswith(_BROKEN_FILE):
                raise
            folder = Path(self._writer.url.database or "").parent
            what = disk.no_room(folder)
            if name != "SQLITE_FULL" and disk.has_room(folder):
                what = f"the database in {folder} cannot be used ({error.orig}); look at its disk"
            raise Unavailable(disk.NOT_WRITTEN, what) from error

    async def close(self) -> None:
        if self._checkpoints is not None:
            await self._checkpoints.stop()
        if self._single is not None:
            await self._single.close()
        await self._writer.dispose()
        await self._readers.dispose()
