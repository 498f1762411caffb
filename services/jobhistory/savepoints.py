"""Savepoints: states of jobs that later ones go on from, one at a time; kept until they are disposed of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from commons.database.connections import Transaction
from commons.process.clock import Clock, to_datetime, to_ms
from commons.process.errors import Conflict, NotFound
from protocol import codes
from protocol.engineconn.v1 import engineconn_pb2 as engineconn
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from services.jobhistory import store_savepoints as store


async def keep(tx: Transaction, job_id: int, ecm_address: str, events: Sequence[engineconn.TaskEvent]) -> None:
    """Write down those that the events tell of."""
    rows = [
        {
            "job_id": job_id, "statement": event.savepoint.statement, "kind": event.savepoint.kind,
            "path": event.savepoint.path, "made_at": to_datetime(event.at_ms), "ecm_address": ecm_address,
        }
        for event in events
        if event.HasField("savepoint")
    ]  # fmt: skip
    if rows:
        await store.insert_savepoints(tx, rows)


async def resume(tx: Transaction, savepoint_id: int, job_id: int) -> None:
    """The new job goes on from the savepoint. Raises Conflict when it is gone, or while another job does."""
    row = await store.savepoint(tx, savepoint_id)
    if row is None or row.disposed_at is not None:
        raise Conflict(codes.SAVEPOINT_UNUSABLE, f"savepoint {savepoint_id} has been disposed of")
    _refuse_in_use(row)
    await store.update_savepoint(tx, savepoint_id, {"resumed_by": job_id})


async def dispose(tx: Transaction, clock: Clock, savepoint_id: int) -> pb.Savepoint:
    """The savepoint, which nobody can go on from any more. Raises NotFound, and Conflict while a job does."""
    row = await store.savepoint(tx, savepoint_id)
    if row is None:
        raise NotFound(codes.SAVEPOINT_UNKNOWN, f"there is no savepoint {savepoint_id}")
    _refuse_in_use(row)
    now_ms = clock.now_ms()
    await store.update_savepoint(tx, savepoint_id, {"disposed_at": to_datetime(now_ms)})
    gone = message(row)
    gone.disposed_at_ms = now_ms
    return gone


async def of_job(tx: Transaction, job_id: int) -> list[pb.Savepoint]:
    return [message(row) for row in await store.savepoints(tx, job_id)]


def message(row: Any) -> pb.Savepoint:
    return pb.Savepoint(
        savepoint_id=row.id, job_id=row.job_id, statement=row.statement, kind=row.kind, path=row.path,
        made_at_ms=to_ms(row.made_at), resumed_by=row.resumed_by or 0, ecm_address=row.ecm_address,
        disposed_at_ms=to_ms(row.disposed_at) if row.disposed_at else 0,
    )  # fmt: skip


def _refuse_in_use(row: Any) -> None:
    if row.used_by is not None:
        what = f"savepoint {row.id} is in use: job {row.used_by} goes on from it; wait for its end, or kill it"
        raise Conflict(codes.SAVEPOINT_UNUSABLE, what)
