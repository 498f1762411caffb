"""All SQL of requests. Functions take the transaction and never commit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from commons.process.clock import to_datetime, to_ms
from protocol.values import JobRef, Tenant
from services.manager.rows import RELEASED, WAITING, Queue, Request
from services.manager.store import labels_of, labels_text, named, of_jobs
from services.manager.tables import REQUEST

_NAMED = select(REQUEST).where(of_jobs(REQUEST))
_UPDATE_NAMED = update(REQUEST).where(of_jobs(REQUEST))
_UPDATE_HELD = _UPDATE_NAMED.where(REQUEST.c.state != RELEASED)
_GRANT = update(REQUEST).where(REQUEST.c.job_id == bindparam("job"), REQUEST.c.attempt == bindparam("of_attempt"))


async def request(tx: AsyncConnection, job: JobRef) -> Request | None:
    return (await requests_of(tx, [job])).get(job)


async def requests_of(tx: AsyncConnection, jobs: Collection[JobRef]) -> dict[JobRef, Request]:
    rows = await tx.execute(_NAMED, named(jobs))
    return {request.job: request for request in map(_request, rows)}


async def requests_of_instance(tx: AsyncConnection, instance: str) -> list[Request]:
    """Those that are not released, oldest first."""
    query = select(REQUEST).where(REQUEST.c.instance == instance, REQUEST.c.state != RELEASED)
    return [_request(row) for row in await tx.execute(query.order_by(REQUEST.c.created_at, REQUEST.c.job_id))]


async def unchanged_jobs(tx: AsyncConnection, before_ms: int) -> list[JobRef]:
    """Whose request is not released and was last granted or made before then."""
    query = select(REQUEST.c.job_id, REQUEST.c.attempt).where(
        REQUEST.c.state != RELEASED, REQUEST.c.changed_at < to_datetime(before_ms)
    )
    return [JobRef(job, attempt) for job, attempt in await tx.execute(query)]


async def queues(tx: AsyncConnection) -> list[Queue]:
    """Who waits."""
    key, c = (REQUEST.c.user, REQUEST.c.creator, REQUEST.c.labels), REQUEST.c
    oldest = (func.min(c.created_at), func.min(c.job_id))
    found = select(*key, *oldest, func.min(c.why), func.max(c.why)).where(c.state == WAITING).group_by(*key)
    return [
        Queue(Tenant(user, creator), labels_of(text), (to_ms(made), job), frozenset(whys))
        for user, creator, text, made, job, *whys in await tx.execute(found)
    ]


async def heads(tx: AsyncConnection, queue: Queue, skip: int, count: int) -> list[Request]:
    """So many of a queue's requests after the first `skip`, oldest first."""
    oldest = select(REQUEST).order_by(REQUEST.c.created_at, REQUEST.c.job_id, REQUEST.c.attempt)
    rows = await tx.execute(oldest.where(*_in(queue)).offset(skip).limit(count))
    return [_request(row) for row in rows]


async def tell_queue(tx: AsyncConnection, queue: Queue, why: str) -> None:
    """What all who wait in it wait for."""
    await tx.execute(update(REQUEST).where(*_in(queue), REQUEST.c.why != why).values(why=why))


def _in(queue: Queue) -> tuple[ColumnElement[bool], ...]:
    c, tenant = REQUEST.c, queue.tenant
    mine = (c.user == tenant.user, c.creator == tenant.creator, c.labels == labels_text(queue.labels))
    return (c.state == WAITING, *mine)


async def insert_requests(tx: AsyncConnection, requests: Sequence[Request]) -> None:
    rows = [
        {
            "job_id": request.job.job_id,
            "attempt": request.job.attempt,
            "instance": request.instance,
            "user": request.tenant.user,
            "creator": request.tenant.creator,
            "labels": labels_text(request.labels),
            "state": request.state,
            "engine_id": request.engine_id,
            "why": request.why,
            "created_at": to_datetime(request.created_at_ms),
            "changed_at": to_datetime(request.changed_at_ms),
            "traceparent": request.traceparent or None,
        }
        for request in requests
    ]
    await tx.execute(insert(REQUEST), rows)


async def grant_requests(tx: AsyncConnection, requests: Sequence[Request]) -> None:
    """Write what became of requests that waited."""
    rows = [
        {
            "job": request.job.job_id,
            "of_attempt": request.job.attempt,
            "state": request.state,
            "engine_id": request.engine_id,
            "why": request.why,
            "changed_at": to_datetime(request.changed_at_ms),
        }
        for request in requests
    ]
    await tx.execute(_GRANT, rows)


async def release_requests(tx: AsyncConnection, jobs: Collection[JobRef], now_ms: int) -> int:
    """How many of them were not released before."""
    values = {"state": RELEASED, "why": "given back", "changed_at": to_datetime(now_ms)}
    return (await tx.execute(_UPDATE_HELD, {**named(jobs), **values})).rowcount


async def move_request(tx: AsyncConnection, job: JobRef, instance: str, now_ms: int) -> None:
    """Its job was taken over."""
    values = {"instance": instance, "changed_at": to_datetime(now_ms)}
    await tx.execute(_UPDATE_NAMED, {**named([job]), **values})


async def delete_released(tx: AsyncConnection, before_ms: int) -> None:
    old = REQUEST.c.changed_at < to_datetime(before_ms)
    await tx.execute(delete(REQUEST).where(REQUEST.c.state == RELEASED, old))


async def waiting(tx: AsyncConnection) -> tuple[int, int | None]:
    """How many requests wait, and since when the oldest of them does (epoch ms)."""
    found = select(func.count(), func.min(REQUEST.c.created_at)).where(REQUEST.c.state == WAITING)
    count, oldest = (await tx.execute(found)).one()
    return count, to_ms(oldest) if oldest is not None else None


def _request(row: Row[Any]) -> Request:
    return Request(
        JobRef(row.job_id, row.attempt),
        row.instance,
        Tenant(row.user, row.creator),
        labels_of(row.labels),
        row.state,
        row.engine_id or "",
        row.why,
        to_ms(row.created_at),
        to_ms(row.changed_at),
        row.traceparent or "",
    )
