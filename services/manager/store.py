"""All SQL of engines and nodes. Functions take the transaction and never commit."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, and_, bindparam, delete, func, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from commons.process.clock import to_datetime, to_ms
from protocol.states.engine import EngineStatus
from protocol.states.node import NodeStatus
from protocol.values import JobRef, Labels, Resource, Tenant
from services.manager.rows import Engine, Node
from services.manager.tables import ENGINE, NODE

_NODE_COLUMNS = [column.label(f"node_{column.name}") for column in NODE.c]
"""Named apart from an engine's, beside which they are read."""


_LIVING = NODE.outerjoin(ENGINE, and_(ENGINE.c.node == NODE.c.name, ENGINE.c.status != EngineStatus.ENDED))
_NODES_AND_ENGINES = select(*_NODE_COLUMNS, *ENGINE.c).select_from(_LIVING).order_by(ENGINE.c.created_at)
_TAKE = update(ENGINE).where(ENGINE.c.engine_id == bindparam("taken"), ENGINE.c.status == EngineStatus.READY)


def labels_text(labels: Labels) -> str:
    return json.dumps(dict(labels.values), sort_keys=True)


def labels_of(text: str) -> Labels:
    return Labels.make(json.loads(text))


def of_jobs(table: Table) -> ColumnElement[bool]:
    """Rows of the attempts named by the parameter `jobs`, see `named`."""
    return tuple_(table.c.job_id, table.c.attempt).in_(bindparam("jobs", expanding=True))


def named(jobs: Collection[JobRef]) -> dict[str, list[tuple[int, int]]]:
    return {"jobs": [(job.job_id, job.attempt) for job in jobs]}


_UPDATE_HELD = update(ENGINE).where(ENGINE.c.status.in_(bindparam("sources", expanding=True)), of_jobs(ENGINE))


async def engines(tx: AsyncConnection) -> list[Engine]:
    """Engines that have not ended, oldest first."""
    query = select(ENGINE).where(ENGINE.c.status != EngineStatus.ENDED).order_by(ENGINE.c.created_at)
    return [_engine(row) for row in await tx.execute(query)]


async def nodes_and_engines(tx: AsyncConnection) -> tuple[list[Node], dict[str, Engine]]:
    """All nodes, and the engines on them that have not ended, oldest first."""
    rows = (await tx.execute(_NODES_AND_ENGINES)).all()
    engines = (_engine(row) for row in rows if row.engine_id is not None)
    nodes = {row.node_name: _node(row) for row in rows}
    return list(nodes.values()), {engine.engine_id: engine for engine in engines}


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


async def insert_engines(tx: AsyncConnection, engines: Sequence[Engine]) -> None:
    rows = [
        {
            "engine_id": engine.engine_id,
            "node": engine.node,
            "user": engine.tenant.user,
            "creator": engine.tenant.creator,
            "labels": labels_text(engine.labels),
            "cores": engine.resource.cores,
            "memory": engine.resource.memory,
            "status": engine.status,
            "wanted": "alive" if engine.wanted_alive else "stopped",
            "asked_at": to_datetime(engine.asked_at_ms) if engine.asked_at_ms is not None else None,
            "job_id": engine.holder.job_id if engine.holder else None,
            "attempt": engine.holder.attempt if engine.holder else None,
            "why": engine.why,
            "created_at": to_datetime(engine.created_at_ms),
            "traceparent": engine.traceparent or None,
        }
        for engine in engines
    ]
    await tx.execute(insert(ENGINE), rows)


async def take_engines(tx: AsyncConnection, engines: Sequence[Engine]) -> None:
    """Write who holds engines that were idle."""
    holders = [(engine.engine_id, engine.holder) for engine in engines if engine.holder is not None]
    rows = [{"taken": taken, "job_id": job.job_id, "attempt": job.attempt} for taken, job in holders]
    await tx.execute(_TAKE, rows)


async def update_held_engines(
    tx: AsyncConnection, jobs: Collection[JobRef], sources: Collection[EngineStatus], **values: object
) -> int:
    """How many engines of one of the statuses `sources` these jobs held, which now have the new values."""
    parameters = {**named(jobs), "sources": list(sources), **values}
    return (await tx.execute(_UPDATE_HELD, parameters)).rowcount


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
    return [_node(row) for row in await tx.execute(select(*_NODE_COLUMNS))]


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


def _engine(row: Row[Any]) -> Engine:
    return Engine(
        row.engine_id,
        row.node,
        Tenant(row.user, row.creator),
        labels_of(row.labels),
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
        row.node_name,
        row.node_ecm_address,
        Resource(row.node_cores, row.node_memory, 1_000_000),
        row.node_status == NodeStatus.ALIVE,
        to_ms(row.node_heartbeat_at),
    )
