"""The common lock on a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from commons.database import locks
from commons.database.connections import Database
from services import schema


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    db = await Database.open(f"sqlite+aiosqlite:///{tmp_path}/test.db")
    await schema.create(db, "test")
    yield db
    await db.close()


async def test_a_lock_is_held_by_one_and_given_back(db: Database) -> None:
    async with (
        locks.held(db, "it", "a") as mine,
        locks.held(db, "it", "b") as too,
        locks.held(db, "other", "b") as other,
    ):
        assert (mine, too, other) == (True, False, True)
    async with locks.held(db, "it", "b") as mine:
        assert mine


async def test_the_lock_of_one_who_died_is_taken_over_after_its_lease(db: Database) -> None:
    async with locks.held(db, "it", "dead", lease_seconds=60) as mine:
        assert mine
        await _age(db, 50)
        async with locks.held(db, "it", "b") as too:
            assert not too
        await _age(db, 20)
        async with locks.held(db, "it", "b") as too:
            assert too
    async with db.read() as tx:
        assert (await tx.execute(text("SELECT count(*) FROM linkis_ps_common_lock"))).scalar_one() == 0


async def _age(db: Database, seconds: int) -> None:
    """The lock was taken so many seconds earlier."""
    async with db.write() as tx:
        await tx.execute(
            text(f"UPDATE linkis_ps_common_lock SET update_time = datetime(update_time, '-{seconds} seconds')")
        )
