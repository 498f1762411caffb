"""SQLite's connections: what may wait leaves the event loop alone, and a call that was cancelled does no harm."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from commons.database import sqlite
from commons.database.connections import Database

LONG = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) SELECT count(*) FROM n"


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    db = await Database.open(f"sqlite+aiosqlite:///{tmp_path}/test.db")
    async with db.write() as tx:
        await tx.execute(text("CREATE TABLE t (i INTEGER)"))
    yield db
    await db.close()


async def test_only_what_may_wait_goes_to_a_thread(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[str] = []
    counted = sqlite._Connection._counted

    def told(connection: Any, fn: Any, *args: Any, **more: Any) -> Any:
        waited.append(args[0] if args else fn.__name__)
        return counted(connection, fn, *args, **more)

    async with db.read() as tx:  # the connection is there
        await tx.execute(text("SELECT 1"))
    monkeypatch.setattr(sqlite._Connection, "_counted", told)
    async with db.write() as tx:
        await tx.execute(text("INSERT INTO t VALUES (1)"))
        await tx.execute(text("SELECT i FROM t"))
    assert waited == [], "a write waits for nothing"
    async with db.read() as tx:
        await tx.execute(text("SELECT i FROM t"))
    assert waited == ["SELECT i FROM t", "fetchall"]


async def test_a_long_query_lets_others_go_on_and_may_be_cancelled(db: Database) -> None:
    async def count() -> int:
        async with db.read() as tx:
            return int((await tx.execute(text(LONG))).scalar_one())

    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await count()
    running = asyncio.create_task(count())
    async with db.write() as tx:
        await tx.execute(text("INSERT INTO t VALUES (1)"))
    async with db.read() as tx:
        assert (await tx.execute(text("SELECT count(*) FROM t"))).scalar_one() == 1
    assert not running.done(), "nobody waited for it"
    assert await running == 3_000_000


async def test_who_waits_for_the_lock_of_another_process_lets_others_go_on(db: Database, tmp_path: Path) -> None:
    async def write() -> None:
        async with db.write() as tx:
            await tx.execute(text("INSERT INTO t VALUES (1)"))

    await write()
    with closing(sqlite3.connect(tmp_path / "test.db", isolation_level=None)) as tool:
        tool.execute("BEGIN IMMEDIATE")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await write()
        writing = asyncio.create_task(write())
        async with db.read() as tx:
            assert (await tx.execute(text("SELECT count(*) FROM t"))).scalar_one() == 1
        assert not writing.done()
        tool.execute("COMMIT")
        await writing
    await write()
    async with db.read() as tx:
        assert (await tx.execute(text("SELECT count(*) FROM t"))).scalar_one() == 3


async def test_the_log_begins_anew_while_others_write_and_read(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "CHECKPOINT_WRITES", 50)

    async def read() -> None:
        while True:
            async with db.read() as tx:
                await tx.execute(text("SELECT count(*) FROM t"))

    reading = [asyncio.create_task(read()) for _ in range(2)]
    rounds = db._checkpoints
    assert rounds is not None
    for _ in range(3000):
        async with db.write() as tx:
            await tx.execute(text("INSERT INTO t VALUES (1)"))
        if rounds.writes > 100:
            await rounds._round()
    for each in reading:
        each.cancel()
    await asyncio.wait(reading)
    assert (tmp_path / "test.db-wal").stat().st_size < 4 << 20, "3000 transactions would take 12 MB and more"


async def test_a_write_that_is_cancelled_is_rolled_back(db: Database) -> None:
    async def write() -> None:
        async with db.write() as tx:
            await tx.execute(text("INSERT INTO t VALUES (1)"))
            await asyncio.sleep(60)

    writing = asyncio.create_task(write())
    await asyncio.sleep(0.05)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    async with db.write() as tx:
        assert (await tx.execute(text("SELECT count(*) FROM t"))).scalar_one() == 0
