"""The SQL of what is kept and for how long. Functions take the transaction and never commit."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from commons.process.clock import to_datetime, to_ms
from protocol.states.job import JobStatus
from services.jobhistory.tables import DETAIL, EVENT, FILES, GROUP, INSTANCE, LIVE, SAVEPOINT

KEPT, REMOVING, REMOVED = "kept", "removing", "removed"

Paths = Sequence[tuple[int, str]]
"""Jobs and the addresses of their logs, which tell their folders."""


async def keep_files(tx: AsyncConnection, jobs: Mapping[int, datetime]) -> None:
    """These jobs have ended, each at its time, and what they wrote is kept."""
    rows = [{"job_id": job, "ended_at": at, "state": KEPT, "why": ""} for job, at in jobs.items()]
    await tx.execute(insert(FILES), rows)


async def files_to_measure(tx: AsyncConnection, most: int) -> Paths:
    return await _paths(tx, most, FILES.c.state == KEPT, FILES.c.bytes.is_(None))


async def set_bytes(tx: AsyncConnection, sizes: Mapping[int, int]) -> None:
    for job_id, size in sizes.items():
        await tx.execute(update(FILES).where(FILES.c.job_id == job_id).values(bytes=size))


async def kept_bytes(tx: AsyncConnection) -> int:
    """Of all ended jobs whose files are kept."""
    total = select(func.coalesce(func.sum(FILES.c.bytes), 0)).where(FILES.c.state == KEPT)
    return int((await tx.execute(total)).scalar_one())


async def logs_of_running_jobs(tx: AsyncConnection) -> list[str]:
    running = select(GROUP.c.log_path).join(LIVE, LIVE.c.job_id == GROUP.c.id)
    return list((await tx.execute(running.where(GROUP.c.status == JobStatus.RUNNING))).scalars())


async def old_files(tx: AsyncConnection, before_ms: int, most: int) -> list[int]:
    """Jobs that ended before then and whose files are kept, the first first."""
    old = select(FILES.c.job_id).where(FILES.c.state == KEPT, FILES.c.ended_at < to_datetime(before_ms))
    return list((await tx.execute(old.order_by(FILES.c.ended_at).limit(most))).scalars())


async def first_files(tx: AsyncConnection, most: int) -> Sequence[tuple[int, int]]:
    """The jobs that ended first and whose files are kept, with their bytes."""
    first = select(FILES.c.job_id, FILES.c.bytes).where(FILES.c.state == KEPT, FILES.c.bytes.is_not(None))
    rows = await tx.execute(first.order_by(FILES.c.ended_at, FILES.c.job_id).limit(most))
    return [(row.job_id, row.bytes) for row in rows]


async def mark_removing(tx: AsyncConnection, job_ids: Collection[int], now_ms: int, why: str) -> None:
    values = {"state": REMOVING, "removed_at": to_datetime(now_ms), "why": why}
    await tx.execute(update(FILES).where(FILES.c.job_id.in_(job_ids), FILES.c.state == KEPT).values(values))


async def files_to_remove(tx: AsyncConnection, before_ms: int, most: int) -> Paths:
    """Those marked before then."""
    return await _paths(tx, most, FILES.c.state == REMOVING, FILES.c.removed_at < to_datetime(before_ms))


async def mark_removed(tx: AsyncConnection, job_ids: Collection[int]) -> None:
    await tx.execute(update(FILES).where(FILES.c.job_id.in_(job_ids)).values(state=REMOVED))


async def old_jobs(tx: AsyncConnection, before_ms: int, most: int) -> list[int]:
    """Jobs that ended before then, whose files are removed (or were never noted), and that keep no savepoint."""
    before = to_datetime(before_ms)
    old = (
        select(GROUP.c.id)
        .outerjoin(LIVE, LIVE.c.job_id == GROUP.c.id)
        .outerjoin(FILES, FILES.c.job_id == GROUP.c.id)
        .where(GROUP.c.created_time < before, GROUP.c.updated_time < before, LIVE.c.job_id.is_(None))
        .where(or_(FILES.c.state.is_(None), FILES.c.state == REMOVED))
        .where(GROUP.c.id.not_in(select(SAVEPOINT.c.job_id).where(SAVEPOINT.c.disposed_at.is_(None))))
    )
    return list((await tx.execute(old.order_by(GROUP.c.created_time).limit(most))).scalars())


async def delete_jobs(tx: AsyncConnection, job_ids: Collection[int]) -> None:
    """All that is told of these jobs. Their ids are not given again."""
    for column in (EVENT.c.job_id, SAVEPOINT.c.job_id, DETAIL.c.job_history_id, FILES.c.job_id, GROUP.c.id):
        await tx.execute(delete(column.table).where(column.in_(job_ids)))


async def jobs_at(tx: AsyncConnection, short_ids: Collection[str]) -> dict[str, Row[Any]]:
    """Of each known short id: id, log_path, updated_time, live (its id, or None), state (None when not noted)."""
    known = (
        select(GROUP.c.id, GROUP.c.job_req_id, GROUP.c.log_path, GROUP.c.updated_time)
        .add_columns(LIVE.c.job_id.label("live"), FILES.c.state)
        .outerjoin(LIVE, LIVE.c.job_id == GROUP.c.id)
        .outerjoin(FILES, FILES.c.job_id == GROUP.c.id)
        .where(GROUP.c.job_req_id.in_(short_ids))
    )
    return {row.job_req_id: row for row in await tx.execute(known)}


async def oldest_unended_ms(tx: AsyncConnection) -> int | None:
    """When the oldest job that has not ended came; None when all have."""
    oldest = select(func.min(GROUP.c.created_time)).join(LIVE, LIVE.c.job_id == GROUP.c.id)
    at = (await tx.execute(oldest)).scalar_one()
    return None if at is None else to_ms(at)


async def delete_lost_instances(tx: AsyncConnection, before_ms: int) -> None:
    """Entrances not heard of since then that hold no job."""
    silent = INSTANCE.c.renewed_at < to_datetime(before_ms)
    await tx.execute(delete(INSTANCE).where(silent, INSTANCE.c.name.not_in(select(LIVE.c.instance))))


async def _paths(tx: AsyncConnection, most: int, *conditions: Any) -> Paths:
    found = select(GROUP.c.id, GROUP.c.log_path).join(FILES, FILES.c.job_id == GROUP.c.id).where(and_(*conditions))
    rows = await tx.execute(found.order_by(FILES.c.ended_at).limit(most))
    return [(row.id, row.log_path or "") for row in rows]
