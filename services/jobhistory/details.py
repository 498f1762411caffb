"""What a task's events mean for the history: details, progress, metrics and the end, each event once."""

from __future__ import annotations

import json

from commons.database.connections import Row, Transaction
from commons.process.clock import Clock, to_datetime
from commons.process.errors import Conflict
from protocol import codes
from protocol.engineconn.v1 import engineconn_pb2 as engineconn
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from protocol.states.job import JobStatus
from services.jobhistory import store
from services.jobhistory.jobs import LONGEST_TEXT, Jobs, cut

LONGEST_STATEMENT = LONGEST_TEXT // 4  # a character has up to 4 bytes
ALMOST_DONE = 0.99
"""What is shown until the end is recorded."""


async def record(tx: Transaction, jobs: Jobs, clock: Clock, request: pb.RecordRequest) -> None:
    """Record events `after`+1 to `up_to`. Raises Conflict unless `after` is what was recorded last."""
    seen = {"events_seen": request.up_to}
    if not await store.update_live(tx, request.job_id, request.epoch, seen, events_seen=request.after):
        raise Conflict(
            codes.NO_LONGER_YOURS, f"job {request.job_id}: events after {request.after} are not yours to tell"
        )
    row = await store.job(tx, job_id=request.job_id)
    assert row is not None
    metrics = json.loads(row.metrics or "{}")
    progress = float(row.progress or 0)
    ended: engineconn.Ended | None = None
    for event in request.events:
        at = to_datetime(event.at_ms)
        match event.WhichOneof("what"):
            case "statement_started":
                await _statement_started(tx, request.job_id, event)
            case "result_set":
                where = f"{row.result_location}/_{event.result_set.result_set}.dolphin"
                which = {"priority": event.result_set.statement, "status": "Running"}
                await store.update_details(tx, request.job_id, {"result_location": where}, **which)
            case "statement_ended":
                info = await _statement_ended(tx, request.job_id, event)
                metrics.setdefault("statements", {})[str(event.statement_ended.statement)] = info
            case "progress":
                progress = max(progress, min(event.progress.fraction, ALMOST_DONE))
                metrics["vertices"] = [_vertex(vertex) for vertex in event.progress.vertices]
            case "ended":
                ended = event.ended
                open_details = {"status": ended.status, "updated_time": at}
                await store.update_details(tx, request.job_id, open_details, status="Running")
    more: dict[str, object] = {"metrics": json.dumps(metrics)}
    if ended is None:
        now = to_datetime(clock.now_ms())
        await store.update_group(
            tx, request.job_id, [row.status], {**more, "progress": str(progress), "updated_time": now}
        )
        return
    await jobs.move(tx, _end_of(row, request, ended), **more)


def _end_of(row: Row, request: pb.RecordRequest, ended: engineconn.Ended) -> pb.UpdateJobStatusRequest:
    """The status that the end of its task gives the job."""
    status, code, message = JobStatus(ended.status), ended.code, ended.message
    if status is JobStatus.CANCELLED and row.live_wanted == "timeout":
        status, code, message = JobStatus.TIMEOUT, codes.TIMED_OUT, f"the job ran for too long: {row.live_wanted_by}"
    elif status is JobStatus.FAILED and request.retry and row.live_wanted == "run":
        status = JobStatus.WAIT_FOR_RETRY
    elif code == codes.ENGINE_LOST and row.live_wanted == "cancel":  # it ended before it could do so itself
        status, code, message = JobStatus.CANCELLED, codes.KILLED, f"the job was killed; {message}"
    return pb.UpdateJobStatusRequest(
        job_id=request.job_id, epoch=request.epoch, to=status, by="engine",
        why=message or f"the task ended: {status}", error_code=code, error_desc=message,
    )  # fmt: skip


async def _statement_started(tx: Transaction, job_id: int, event: engineconn.TaskEvent) -> None:
    started, at = event.statement_started, to_datetime(event.at_ms)
    await store.insert_detail(
        tx,
        {
            "job_history_id": job_id,
            "execution_content": cut(started.text, LONGEST_STATEMENT),
            "job_group_info": json.dumps({"engine_job_id": started.engine_job_id}),
            "created_time": at,
            "updated_time": at,
            "status": "Running",
            "priority": started.statement,
        },
    )


async def _statement_ended(tx: Transaction, job_id: int, event: engineconn.TaskEvent) -> dict[str, int]:
    ended = event.statement_ended
    values = {
        "status": ended.status,
        "result_array_size": ended.result_sets,
        "updated_time": to_datetime(event.at_ms),
    }
    await store.update_details(tx, job_id, values, priority=ended.statement, status="Running")
    return dict(ended.metrics)


def _vertex(vertex: engineconn.Vertex) -> dict[str, object]:
    return {
        "id": vertex.id,
        "name": vertex.name,
        "succeeded": vertex.succeeded,
        "failed": vertex.failed,
        "running": vertex.running,
        "total": vertex.total,
    }
