"""What a task's events mean for the history: details, progress, metrics and the end, each event once."""

from __future__ import annotations

import json

from commons.database.connections import Row, Transaction
from commons.process.clock import Clock, to_datetime
from commons.process.errors import Conflict
from protocol import codes, names
from protocol.engineconn.v1 import engineconn_pb2 as engineconn
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from protocol.states.job import JobStatus
from services.jobhistory import savepoints, store
from services.jobhistory.jobs import LONGEST_TEXT, Jobs, cut

LONGEST_STATEMENT = LONGEST_TEXT // 4  # a character has up to 4 bytes
ALMOST_DONE = 0.99
"""What is shown until the end is recorded."""


async def record(tx: Transaction, jobs: Jobs, clock: Clock, request: pb.RecordRequest) -> pb.JobChange:
    """Record events `after`+1 to `up_to`, once. Raises Conflict unless `after` is what was recorded last."""
    row = await store.lock_live(tx, request.job_id, request.epoch)
    if row is not None and row.events_seen == request.up_to:  # the answer was lost
        return pb.JobChange(status=row.status, progress=float(row.progress or 0), metrics=row.metrics)
    if row is None or row.events_seen != request.after:
        raise Conflict(
            codes.NO_LONGER_YOURS, f"job {request.job_id}: events after {request.after} are not yours to tell"
        )
    metrics = json.loads(row.metrics or "{}")
    progress = float(row.progress or 0)
    details = Details(request.job_id, row.result_location, are_first=request.after == 0 and row.attempt == 1)
    ended: engineconn.Ended | None = None
    for event in request.events:
        match event.WhichOneof("what"):
            case "progress":
                progress = max(progress, min(event.progress.fraction, ALMOST_DONE))
                metrics["vertices"] = [_vertex(vertex) for vertex in event.progress.vertices]
            case "statement_ended":
                which = str(event.statement_ended.statement)
                metrics.setdefault("statements", {})[which] = dict(event.statement_ended.metrics)
            case "ended":
                ended = event.ended
        details.learn(event)
    await details.write(tx)
    await savepoints.keep(tx, request.job_id, row.ecm_address, request.events)
    more: dict[str, object] = {"metrics": json.dumps(metrics)}
    if ended is not None:
        return await jobs.move(tx, _end_of(row, request, ended), **more)
    kept = await store.update_live(tx, request.job_id, request.epoch, {"events_seen": request.up_to})
    now = clock.now_ms()
    values = {**more, "progress": str(progress), "updated_time": to_datetime(now)}
    kept = await store.update_group(tx, request.job_id, row.status, values) and kept
    assert kept, "the live row is locked"
    return pb.JobChange(status=row.status, progress=progress, metrics=str(more["metrics"]), updated_at_ms=now)


def _end_of(row: Row, request: pb.RecordRequest, ended: engineconn.Ended) -> pb.UpdateJobStatusRequest:
    """The status that the end of its task gives the job."""
    status, code, message = JobStatus(ended.status), ended.code, ended.message
    if status is JobStatus.CANCELLED and row.wanted == "timeout":
        status, code, message = JobStatus.TIMEOUT, codes.TIMED_OUT, names.too_long(row.wanted_by)
    elif status is JobStatus.FAILED and request.retry and row.wanted == "run":
        status = JobStatus.WAIT_FOR_RETRY
    elif code == codes.ENGINE_LOST and row.wanted == "cancel":  # it ended before it could do so itself
        status, code, message = JobStatus.CANCELLED, codes.KILLED, f"the job was killed; {message}"
    elif code == codes.ENGINE_LOST and row.wanted == "timeout":
        status, code, message = JobStatus.TIMEOUT, codes.TIMED_OUT, f"{names.too_long(row.wanted_by)}; {message}"
    step = pb.StatusStep(to=status, why=message or f"the task ended: {status}")
    return pb.UpdateJobStatusRequest(
        job_id=request.job_id, epoch=request.epoch, source=row.status, steps=[step], by="engine",
        error_code=code, error_desc=message,
    )  # fmt: skip


class Details:
    """What events say of the statements of a job: a row for each that began with them, changes of those before."""

    def __init__(self, job_id: int, result_location: str, *, are_first: bool) -> None:
        self._job_id = job_id
        self._result_location = result_location
        self._are_first = are_first
        self._fresh: dict[int, dict[str, object]] = {}
        self._changes: list[tuple[dict[str, object], dict[str, object]]] = []

    def learn(self, event: engineconn.TaskEvent) -> None:
        at = to_datetime(event.at_ms)
        match event.WhichOneof("what"):
            case "statement_started":
                self._fresh[event.statement_started.statement] = self._started(event.statement_started, at)
            case "result_set":
                where = f"{self._result_location}/_{event.result_set.result_set}.dolphin"
                self._change({"result_location": where}, event.result_set.statement)
            case "statement_ended":
                ended = event.statement_ended
                values = {"status": ended.status, "result_array_size": ended.result_sets, "updated_time": at}
                self._change(values, ended.statement)
            case "ended":
                self._change({"status": event.ended.status, "updated_time": at})

    async def write(self, tx: Transaction) -> None:
        for values, which in [] if self._are_first else self._changes:
            await store.update_details(tx, self._job_id, values, status=JobStatus.RUNNING, **which)
        if self._fresh:
            await store.insert_details(tx, list(self._fresh.values()))

    def _change(self, values: dict[str, object], statement: int | None = None) -> None:
        """Of a statement, or of all, if it has not ended."""
        for number, row in self._fresh.items():
            if row["status"] == JobStatus.RUNNING and statement in (None, number):
                row.update(values)
        if statement not in self._fresh:
            self._changes.append((values, {} if statement is None else {"priority": statement}))

    def _started(self, started: engineconn.StatementStarted, at: object) -> dict[str, object]:
        return {
            "job_history_id": self._job_id,
            "execution_content": cut(started.text, LONGEST_STATEMENT),
            "job_group_info": json.dumps({"engine_job_id": started.engine_job_id}),
            "created_time": at,
            "updated_time": at,
            "status": JobStatus.RUNNING,
            "priority": started.statement,
            "result_location": None,
            "result_array_size": 0,
        }


def _vertex(vertex: engineconn.Vertex) -> dict[str, object]:
    return {
        "id": vertex.id,
        "name": vertex.name,
        "succeeded": vertex.succeeded,
        "failed": vertex.failed,
        "running": vertex.running,
        "total": vertex.total,
    }
