"""All SQL of the manager. Functions take the transaction and never commit."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from commons.process.clock import to_datetime, to_ms
from protocol.states.engine import EngineStatus
from protocol.states.node import NodeStatus
from protocol.values import JobRef, Labels, Resource, Tenant
from services.manager.rows import RELEASED, WAITING, Engine, Node, Request
from services.manager.tables import ENGINE, NODE, REQUEST


def labels_text(labels: Labels) -> str:
    return json.dumps(dict(labels.values), sort_keys=True)


async def request(tx: AsyncConnection, job: JobRef) -> Request | None:
    where = (REQUEST.c.job_id == job.job_id, REQUEST.c.attempt == job.attempt)
    row = (await tx.execute(select(REQUEST).where(*where))).first()
    return _request(row) if row is not None else None


async def requests(tx: AsyncConnection, *, state: str = "", instance: str = "") -> list[Request]:
    """Requests that are not released, or those of one state; of all instances, or of one."""
    query = select(REQUEST).order_by(REQUEST.c.created_at, REQUEST.c.job_id)
    query = query.where(REQUEST.c.state == state) if state else query.where(REQUEST.c.state != RELEASED)
    if instance:
        query = query.where(REQUEST.c.instance == instance)
    return [_request(row) for row in await tx.execute(query)]


async def insert_request(tx: AsyncConnection, request: Request) -> None:
    await tx.execute(
        insert(REQUEST).values(
            job_id=request.job.job_id,
            attempt=request.job.attempt,
            instance=request.instance,
            user=request.tenant.user,
            creator=request.tenant.creator,
            labels=labels_text(request.labels),
            state=request.state,
            engine_id=request.engine_id,
            why=request.why,
            created_at=to_datetime(request.created_at_ms),
            changed_at=to_datetime(request.changed_at_ms),
            traceparent=request.traceparent or None,
        )
    )


async def update_request(tx: AsyncConnection, job: JobRef, now_ms: int, **values: object) -> None:
    where = (REQUEST.c.job_id == job.job_id, REQUEST.c.attempt == job.attempt)
    await tx.execute(update(REQUEST).where(*where).values(changed_at=to_datetime(now_ms), **values))


async def delete_released(tx: AsyncConnection, before_ms: int) -> None:
    old = REQUEST.c.changed_at < to_datetime(before_ms)
    await tx.execute(delete(REQUEST).where(REQUEST.c.state == RELEASED, old))


async def waiting(tx: AsyncConnection) -> tuple[int, int | None]:
    """How many requests wait, and since when the oldest of them does (epoch ms)."""
    found = select(func.count(), func.min(REQUEST.c.created_at)).where(REQUEST.c.state == WAITING)
    count, oldest = (await tx.execute(found)).one()
    return count, to_ms(oldest) if oldest is not None else None


async def engines(tx: AsyncConnection) -> list[Engine]:
    """Engines that have not ended, oldest first."""
    query = select(ENGINE).where(ENGINE.c.status != EngineStatus.ENDED).order_by(ENGINE.c.created_at)
    return [_engine(row) for row in await tx.execute(query)]


async def engines_by_id(tx: AsyncConnection, ids: Collection[str]) -> dict[str, Engine]:
    rows = await tx.execute(select(ENGINE).where(ENGINE.c.engine_id.in_(list(ids))))
    return {row.engine_id: _engine(row) for row in rows}


async def engine_counts(
    tx: AsyncConnection, user: str, creator: str, from_ms: int, to_ms: int
) -> dict[tuple[str, str], int]:
    """How many engines there are of each (status, wanted); empty texts and zeros mean all."""
    found = select(ENGINE.c.status, ENGINE.c.wanted, func.count()).group_by(ENGINE.c.status, ENGINE.c.wanted)
    if user:
        found = found.where(ENGINE.c.user == user)
    if creator:
        found = found.where(ENGINE.c.creator == creator)
    if from_ms:
        found = found.where(ENGINE.c.created_at >= to_datetime(from_ms))
    if to_ms:
        found = found.where(ENGINE.c.created_at <= to_datetime(to_ms))
    return {(status, wanted): count for status, wanted, count in await tx.execute(found)}


async def insert_engine(tx: AsyncConnection, engine: Engine) -> None:
    await tx.execute(
        insert(ENGINE).values(
            engine_id=engine.engine_id,
            node=engine.node,
            user=engine.tenant.user,
            creator=engine.tenant.creator,
            labels=labels_text(engine.labels),
            cores=engine.resource.cores,
            memory=engine.resource.memory,
            status=engine.status,
            wanted="alive" if engine.wanted_alive else "stopped",
            asked_at=to_datetime(engine.asked_at_ms) if engine.asked_at_ms is not None else None,
            job_id=engine.holder.job_id if engine.holder else None,
            attempt=engine.holder.attempt if engine.holder else None,
            why=engine.why,
            created_at=to_datetime(engine.created_at_ms),
            traceparent=engine.traceparent or None,
        )
    )


async def update_engine(
    tx: AsyncConnection, engine_id: str, sources: Collection[EngineStatus], **values: object
) -> bool:
    """Whether the engine had one of the statuses `sources`, and now has the new values."""
    where = (ENGINE.c.engine_id == engine_id, ENGINE.c.status.in_(list(sources)))
    return (await tx.execute(update(ENGINE).where(*where).values(**values))).rowcount == 1


async def delete_ended_engines(tx: AsyncConnection, before_ms: int) -> None:
    await tx.execute(
        delete(ENGINE).where(ENGINE.c.status == EngineStatus.ENDED, ENGINE.c.ended_at < to_datetime(before_ms))
    )


async def nodes(tx: AsyncConnection) -> list[Node]:
    return [_node(row) for row in await tx.execute(select(NODE))]


async def put_node(tx: AsyncConnection, node: Node, incarnation: str) -> None:
    """Insert or replace a node's row."""
    await tx.execute(delete(NODE).where(NODE.c.name == node.name))
    await tx.execute(
        insert(NODE).values(
            name=node.name,
            incarnation=incarnation,
            ecm_address=node.ecm_address,
            cores=node.capacity.cores,
            memory=node.capacity.memory,
            status=NodeStatus.ALIVE if node.alive else NodeStatus.LOST,
            heartbeat_at=to_datetime(node.heartbeat_at_ms),
        )
    )


async def delete_lost_nodes(tx: AsyncConnection, before_ms: int) -> None:
    old = NODE.c.heartbeat_at < to_datetime(before_ms)
    await tx.execute(delete(NODE).where(NODE.c.status == NodeStatus.LOST, old))


async def set_node_status(tx: AsyncConnection, name: str, status: NodeStatus) -> None:
    await tx.execute(update(NODE).where(NODE.c.name == name).values(status=status))


def _request(row: Row[Any]) -> Request:
    return Request(
        JobRef(row.job_id, row.attempt),
        row.instance,
        Tenant(row.user, row.creator),
        Labels.make(json.loads(row.labels)),
        row.state,
        row.engine_id or "",
        row.why,
        to_ms(row.created_at),
        to_ms(row.changed_at),
        row.traceparent or "",
    )


def _engine(row: Row[Any]) -> Engine:
    return Engine(
        row.engine_id,
        row.node,
        Tenant(row.user, row.creator),
        Labels.make(json.loads(row.labels)),
        Resource(row.cores, row.memory, 1),
        EngineStatus(row.status),
        row.wanted == "alive",
        to_ms(row.asked_at) if row.asked_at is not None else None,
        JobRef(row.job_id, row.attempt) if row.job_id is not None else None,
        row.why,
        to_ms(row.created_at),
        to_ms(row.idle_since) if row.idle_since is not None else None,
        row.traceparent or "",
    )


def _node(row: Row[Any]) -> Node:
    return Node(
        row.name,
        row.ecm_address,
        Resource(row.cores, row.memory, 1_000_000),
        row.status == NodeStatus.ALIVE,
        to_ms(row.heartbeat_at),
    )
