"""The SQL of savepoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.jobhistory.tables import LIVE, SAVEPOINT


async def insert_savepoints(tx: AsyncConnection, rows: Sequence[Mapping[str, object]]) -> None:
    await tx.execute(insert(SAVEPOINT), list(rows))


async def savepoints(tx: AsyncConnection, job_id: int) -> Sequence[Row[Any]]:
    """Those of a job, the oldest first."""
    return (await tx.execute(_all().where(SAVEPOINT.c.job_id == job_id).order_by(SAVEPOINT.c.id))).all()


async def savepoint(tx: AsyncConnection, savepoint_id: int) -> Row[Any] | None:
    """Its columns, and `used_by`: the unended job that goes on from it."""
    row: Row[Any] | None = (await tx.execute(_all().where(SAVEPOINT.c.id == savepoint_id))).first()
    return row


async def update_savepoint(tx: AsyncConnection, savepoint_id: int, values: Mapping[str, object]) -> None:
    await tx.execute(update(SAVEPOINT).where(SAVEPOINT.c.id == savepoint_id).values(values))


def _all() -> Any:
    used = LIVE.c.job_id.label("used_by")
    return select(SAVEPOINT, used).outerjoin(LIVE, LIVE.c.job_id == SAVEPOINT.c.resumed_by)
