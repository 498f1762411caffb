"""All SQL of the job history. Functions take the transaction and never commit.

What every job needs is built once, when the module is loaded: building a statement costs more than running it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, delete, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from commons.process.clock import to_datetime, to_ms
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from protocol.values import Tenant
from services.jobhistory.tables import DETAIL, EVENT, FILES, GROUP, INSTANCE, LIVE

Values = Mapping[str, object]

_LIVE_COLUMNS = [column.label(f"live_{column.name}") for column in LIVE.c]


def _jobs() -> Select[Any]:
    beside = GROUP.outerjoin(LIVE, LIVE.c.job_id == GROUP.c.id).outerjoin(FILES, FILES.c.job_id == GROUP.c.id)
    return select(GROUP, *_LIVE_COLUMNS, FILES.c.removed_at, FILES.c.why.label("removed_why")).select_from(beside)


_JOB = _jobs().where(GROUP.c.id == bindparam("job"))
_JOB_BY_SHORT_ID = _jobs().where(GROUP.c.job_req_id == bindparam("short"))
_MINE = (LIVE.c.job_id == bindparam("job"), LIVE.c.epoch == bindparam("mine"))
_UPDATE_LIVE, _DELETE_LIVE = update(LIVE).where(*_MINE), delete(LIVE).where(*_MINE)
_UPDATE_GROUP = update(GROUP).where(GROUP.c.id == bindparam("job"), GROUP.c.status == bindparam("source_status"))
_RECORDED = (
    select(LIVE.c.wanted, LIVE.c.wanted_by, LIVE.c.attempt, LIVE.c.events_seen, LIVE.c.ecm_address)
    .add_columns(GROUP.c.status, GROUP.c.metrics, GROUP.c.progress, GROUP.c.result_location)
    .join(GROUP, GROUP.c.id == LIVE.c.job_id)
    .where(*_MINE)
    .with_for_update(of=LIVE)
)
_WAITING = (
    select(LIVE.c.user, LIVE.c.creator, func.count())
    .where(LIVE.c.user.in_(bindparam("users", expanding=True)), LIVE.c.engine_id == "")
    .group_by(LIVE.c.user, LIVE.c.creator)
)
_INSERT_GROUPS = insert(GROUP).returning(GROUP.c.job_req_id, GROUP.c.id)


async def job(tx: AsyncConnection, *, job_id: int = 0, short_id: str = "") -> Row[Any] | None:
    """A group row with its live row's columns (`live_…`, all None when it has ended), `removed_at`, `removed_why`."""
    found = await (tx.execute(_JOB_BY_SHORT_ID, {"short": short_id}) if short_id else tx.execute(_JOB, {"job": job_id}))
    row: Row[Any] | None = found.first()
    return row


async def jobs_of_instance(tx: AsyncConnection, instance: str) -> list[int]:
    rows = await tx.execute(select(LIVE.c.job_id).where(LIVE.c.instance == instance).order_by(LIVE.c.job_id))
    return list(rows.scalars())


async def jobs_of_lost_instances(tx: AsyncConnection, silent_since_ms: int, most: int) -> list[int]:
    """Unended jobs whose instance has not renewed since then, or is not known at all; the oldest first."""
    alive = select(INSTANCE.c.name).where(INSTANCE.c.renewed_at >= to_datetime(silent_since_ms))
    lost = select(LIVE.c.job_id).where(LIVE.c.instance.not_in(alive)).order_by(LIVE.c.job_id).limit(most)
    return list((await tx.execute(lost)).scalars())


async def jobs_by_short_ids(tx: AsyncConnection, short_ids: Collection[str]) -> dict[str, Row[Any]]:
    rows = await tx.execute(_jobs().where(GROUP.c.job_req_id.in_(short_ids)))
    return {row.job_req_id: row for row in rows}


async def query(tx: AsyncConnection, wanted: pb.JobHistoryQuery) -> tuple[Sequence[Row[Any]], int]:
    """One page of jobs, and how many there are. A page beyond the end is the last one."""
    where = and_(*_conditions(wanted))
    total = (await tx.execute(select(func.count()).select_from(GROUP).where(where))).scalar_one()
    size = max(1, wanted.page_size)
    page = max(1, min(wanted.page, -(-total // size)))
    newest = GROUP.c.id.desc()
    order = [_lasted(tx).desc(), newest] if wanted.longest_first else [newest]
    rows = await tx.execute(_jobs().where(where).order_by(*order).limit(size).offset((page - 1) * size))
    return rows.all(), total


async def counts(tx: AsyncConnection, wanted: pb.JobHistoryQuery) -> dict[str, int]:
    """How many jobs there are of each status."""
    found = select(GROUP.c.status, func.count()).where(and_(*_conditions(wanted))).group_by(GROUP.c.status)
    return {status: count for status, count in await tx.execute(found)}


def _lasted(tx: AsyncConnection) -> ColumnElement[Any]:
    """How long a job has taken so far, to sort by: neither database subtracts times as the other does."""
    if tx.dialect.name == "sqlite":
        return func.julianday(GROUP.c.updated_time) - func.julianday(GROUP.c.created_time)
    return func.timestampdiff(text("MICROSECOND"), GROUP.c.created_time, GROUP.c.updated_time)


def _conditions(wanted: pb.JobHistoryQuery) -> list[Any]:
    conditions: list[Any] = [GROUP.c.id > 0]
    if wanted.submit_user:
        conditions.append(GROUP.c.submit_user == wanted.submit_user)
    if wanted.job_id:
        conditions.append(GROUP.c.id == wanted.job_id)
    if wanted.statuses:
        conditions.append(GROUP.c.status.in_(list(wanted.statuses)))
    if wanted.created_from_ms:
        conditions.append(GROUP.c.created_time >= to_datetime(wanted.created_from_ms))
    if wanted.created_to_ms:
        conditions.append(GROUP.c.created_time <= to_datetime(wanted.created_to_ms))
    if wanted.engine_type:
        conditions.append(GROUP.c.engine_type == wanted.engine_type)
    if wanted.instance:
        conditions.append(GROUP.c.instances == wanted.instance)
    if wanted.creator:
        conditions.append(GROUP.c.labels.contains(f'-{wanted.creator}"', autoescape=True))
    if wanted.run_type:
        conditions.append(GROUP.c.labels.contains(f'"codeType": "{wanted.run_type}"', autoescape=True))
    return [*conditions, *_more_conditions(wanted)]


def _more_conditions(wanted: pb.JobHistoryQuery) -> list[Any]:
    conditions: list[Any] = []
    if wanted.job_ids:
        conditions.append(GROUP.c.id.in_(list(wanted.job_ids)))
    if wanted.from_job_id:
        conditions.append(GROUP.c.id >= wanted.from_job_id)
    if wanted.engine_instance:
        conditions.append(GROUP.c.metrics.contains(f'"engineInstance": "{wanted.engine_instance}"', autoescape=True))
    if wanted.owner:
        conditions.append(GROUP.c.id.in_(select(LIVE.c.job_id).where(LIVE.c.instance == wanted.owner)))
    elif wanted.unended:
        conditions.append(GROUP.c.id.in_(select(LIVE.c.job_id)))
    return conditions


async def waiting(tx: AsyncConnection, tenants: Collection[Tenant]) -> dict[Tenant, int]:
    """How many jobs of each tenant wait for their turn: those without an engine."""
    rows = await tx.execute(_WAITING, {"users": sorted({tenant.user for tenant in tenants})})
    return {Tenant(user, creator): count for user, creator, count in rows}


async def insert_groups(tx: AsyncConnection, rows: Sequence[Values]) -> dict[str, int] | None:
    """Insert group rows by one statement; their ids by short id. None, and none is inserted, when one is there."""
    try:
        inserted = await tx.execute(_INSERT_GROUPS, list(rows))
    except IntegrityError:
        return None
    return {short_id: job_id for short_id, job_id in inserted}


async def insert_live(tx: AsyncConnection, rows: Sequence[Values]) -> None:
    await tx.execute(insert(LIVE), list(rows))


async def insert_events(tx: AsyncConnection, rows: Sequence[Values]) -> None:
    await tx.execute(insert(EVENT), list(rows))


async def events(tx: AsyncConnection, job_id: int) -> Sequence[Row[Any]]:
    return (await tx.execute(select(EVENT).where(EVENT.c.job_id == job_id).order_by(EVENT.c.id))).all()


async def unended(tx: AsyncConnection) -> dict[str, int]:
    """How many jobs that have not ended there are of each status."""
    found = select(GROUP.c.status, func.count()).join(LIVE, LIVE.c.job_id == GROUP.c.id).group_by(GROUP.c.status)
    return {status: count for status, count in await tx.execute(found)}


async def update_live(tx: AsyncConnection, job_id: int, epoch: int, values: Values) -> bool:
    """Whether the live row was the caller's, and now has the new values."""
    return (await tx.execute(_UPDATE_LIVE, {"job": job_id, "mine": epoch, **values})).rowcount == 1


async def lock_live(tx: AsyncConnection, job_id: int, epoch: int) -> Row[Any] | None:
    """A live row that is the caller's, with what is recorded of its job; locked until the transaction ends."""
    found = await tx.execute(_RECORDED, {"job": job_id, "mine": epoch})
    row: Row[Any] | None = found.first()
    return row


async def delete_live(tx: AsyncConnection, job_id: int, epoch: int) -> bool:
    """Whether the live row was the caller's; it is gone now."""
    return (await tx.execute(_DELETE_LIVE, {"job": job_id, "mine": epoch})).rowcount == 1


async def update_group(tx: AsyncConnection, job_id: int, source: str, values: Values) -> bool:
    """Whether the job had the status `source`, and now has the new values."""
    changed = await tx.execute(_UPDATE_GROUP, {"job": job_id, "source_status": source, **values})
    return changed.rowcount == 1


async def set_observe_info(tx: AsyncConnection, job_id: int, observe_info: str | None) -> None:
    await tx.execute(update(GROUP).where(GROUP.c.id == job_id).values(observe_info=observe_info))


async def wish(tx: AsyncConnection, job_id: int, wanted: str, by: str) -> bool:
    """Whether the job has not ended; it is wished ended now, as `cancel` or `timeout`. The first wish is kept."""
    found = await tx.execute(
        update(LIVE).where(LIVE.c.job_id == job_id, LIVE.c.wanted == "run").values(wanted=wanted, wanted_by=by)
    )
    if found.rowcount == 1:
        return True
    return (await tx.execute(select(LIVE.c.job_id).where(LIVE.c.job_id == job_id))).first() is not None


async def cancelled(tx: AsyncConnection, instance: str) -> list[int]:
    rows = await tx.execute(select(LIVE.c.job_id).where(LIVE.c.instance == instance, LIVE.c.wanted != "run"))
    return list(rows.scalars())


async def live_among(tx: AsyncConnection, job_ids: Collection[int]) -> set[int]:
    return set((await tx.execute(select(LIVE.c.job_id).where(LIVE.c.job_id.in_(list(job_ids))))).scalars())


async def take_jobs(tx: AsyncConnection, instance: str, job_ids: Collection[int]) -> None:
    """These jobs belong to a new owner: their epoch rises."""
    owner = {"instance": instance, "epoch": LIVE.c.epoch + 1}
    await tx.execute(update(LIVE).where(LIVE.c.job_id.in_(list(job_ids))).values(**owner))


async def put_instance(tx: AsyncConnection, name: str, incarnation: str, now_ms: int) -> None:
    await tx.execute(delete(INSTANCE).where(INSTANCE.c.name == name))
    await tx.execute(insert(INSTANCE).values(name=name, incarnation=incarnation, renewed_at=to_datetime(now_ms)))


async def renew_instance(tx: AsyncConnection, name: str, incarnation: str, now_ms: int) -> bool:
    """Whether this incarnation still is the instance's."""
    renewed = await tx.execute(
        update(INSTANCE)
        .where(INSTANCE.c.name == name, INSTANCE.c.incarnation == incarnation)
        .values(renewed_at=to_datetime(now_ms))
    )
    return renewed.rowcount == 1


async def insert_details(tx: AsyncConnection, rows: Sequence[Values]) -> None:
    await tx.execute(insert(DETAIL), list(rows))


async def update_details(tx: AsyncConnection, job_id: int, values: Values, **which: object) -> None:
    where = [DETAIL.c.job_history_id == job_id, *(DETAIL.c[name] == value for name, value in which.items())]
    await tx.execute(update(DETAIL).where(*where).values(**values))


async def detail_rows(tx: AsyncConnection, job_id: int) -> Sequence[Row[Any]]:
    rows = await tx.execute(select(DETAIL).where(DETAIL.c.job_history_id == job_id).order_by(DETAIL.c.priority))
    return rows.all()


def to_detail(row: Row[Any]) -> pb.Detail:
    return pb.Detail(
        detail_id=row.id,
        job_id=row.job_history_id,
        statement=row.priority or 0,
        status=row.status or "",
        execution_content=row.execution_content or "",
        result_location=row.result_location or "",
        result_sets=row.result_array_size or 0,
        created_at_ms=to_ms(row.created_time),
        updated_at_ms=to_ms(row.updated_time),
        group_info=row.job_group_info or "",
    )
