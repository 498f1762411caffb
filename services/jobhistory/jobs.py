"""Jobs: saved once, moved from status to status by their owner alone, ended for good."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial

from commons.database.connections import Row, Transaction
from commons.database.marks import after_commit
from commons.process import telemetry
from commons.process.clock import Clock, to_datetime, to_ms
from commons.process.errors import AlreadyExists, Conflict, Exhausted, Invalid, NotFound
from protocol import codes, layout
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from protocol.states.job import JOB, JobStatus
from protocol.values import Tenant
from services.jobhistory import store, store_retention
from services.jobhistory.tables import GROUP

QUEUE_FULL = "The submission job failed and the queue is full!(提交作业失败，队列已满！)"
LONGEST_TEXT = 60_000
LONGEST_DESCRIPTION = 1000

_SUBMITTED = telemetry.counter("jobs_submitted", "Jobs that were saved.", ("kind",))
_ENDED = telemetry.counter("jobs_ended", "Jobs that ended, by their last status.", ("kind", "status"))
_QUEUED = telemetry.histogram(
    "job_queue_seconds", "From submit until a place was given.", ("kind",), buckets=telemetry.JOB_SECONDS
)
_STARTED = telemetry.histogram(
    "job_start_seconds", "From submit until an engine had the job.", ("kind",), buckets=telemetry.JOB_SECONDS
)
_RAN = telemetry.histogram(
    "job_run_seconds", "Attempts on an engine, by how they ended.", ("kind", "status"), buckets=telemetry.JOB_SECONDS
)


class Jobs:
    """The only writer of job status. Every method takes the transaction it works in."""

    def __init__(self, clock: Clock, tenant_queued_jobs: int) -> None:
        self._clock = clock
        self._tenant_queued_jobs = tenant_queued_jobs

    async def save_many(
        self, tx: Transaction, requests: Sequence[pb.SaveJobHistoryRequest]
    ) -> list[pb.Job | Exception]:
        """Save jobs in one transaction: for each its job, or the error it is refused with."""
        known = await store.jobs_by_short_ids(tx, {request.short_id for request in requests})
        waiting = await store.waiting(tx, {Tenant.of(request.tenant) for request in requests})
        answers: list[pb.Job | Exception | None] = []
        fresh: dict[str, pb.SaveJobHistoryRequest] = {}
        for request in requests:
            row, tenant = known.get(request.short_id), Tenant.of(request.tenant)
            if row is not None:
                answers.append(to_job(row) if row.instances == request.instance else _taken(request.short_id))
            elif request.short_id in fresh:  # the same submit, sent again before it was answered
                answers.append(None)
            elif waiting.get(tenant, 0) >= self._tenant_queued_jobs and not request.HasField("refusal"):
                answers.append(Exhausted(codes.QUEUE_FULL, QUEUE_FULL))
            elif (error := _too_long(request)) is not None:
                answers.append(error)
            else:
                waiting[tenant] = waiting.get(tenant, 0) + (not request.HasField("refusal"))
                fresh[request.short_id] = request
                answers.append(None)
        saved = {job.short_id: job for job in await self._insert(tx, list(fresh.values()))}
        return [answer or saved[request.short_id] for answer, request in zip(answers, requests, strict=True)]

    async def _insert(self, tx: Transaction, requests: Sequence[pb.SaveJobHistoryRequest]) -> list[pb.Job]:
        if not requests:
            return []
        now = to_datetime(self._clock.now_ms())
        groups = [{**_group_values(request), "created_time": now, "updated_time": now} for request in requests]
        ids = await store.insert_groups(tx, groups)
        saved = list(zip(ids, requests, strict=True))
        if live := [_live_values(*each) for each in saved if not each[1].HasField("refusal")]:
            await store.insert_live(tx, live)
        if refused := [job for job, request in saved if request.HasField("refusal")]:
            await store_retention.keep_files(tx, dict.fromkeys(refused, now))
        await store.insert_events(tx, [_first_event(job, request, now) for job, request in saved])
        for request in requests:
            after_commit(_SUBMITTED.labels(request.engine_type).inc)
            if request.HasField("refusal"):
                after_commit(_ENDED.labels(request.engine_type, JobStatus.FAILED).inc)
        rows = await store.jobs_by_short_ids(tx, {request.short_id for request in requests})
        return [to_job(rows[request.short_id]) for request in requests]

    async def move(self, tx: Transaction, request: pb.UpdateJobStatusRequest, **more: object) -> None:
        """The one place where a status is written. `more` are further columns of the group row.

        Raises Conflict when the epoch is not the job's any more, or when the status may not follow the present one.
        """
        target, job_id = JobStatus(request.to), request.job_id
        row = await store.job(tx, job_id=job_id)
        if JOB.final(target):
            mine = await store.delete_live(tx, job_id, request.epoch)
        else:
            live = {"engine_id": request.engine_id, "node": request.node, "ecm_address": request.ecm_address}
            kept: dict[str, object] = {name: value for name, value in live.items() if value}
            if target is JobStatus.WAIT_FOR_RETRY and row is not None:
                kept = _next_attempt(row)
                more |= {name: layout.next_attempt(getattr(row, name)) for name in ("log_path", "result_location")}
            mine = await store.update_live(tx, job_id, request.epoch, {**kept, "epoch": request.epoch})
        if not mine or row is None:
            raise Conflict(codes.NO_LONGER_YOURS, f"job {job_id} has ended or belongs to a later owner")
        now = to_datetime(self._clock.now_ms())
        values: dict[str, object] = {"status": target, "updated_time": now, **more}
        if request.engine_id:
            values["metrics"] = _with_engine(row, request.engine_id)
        if JOB.final(target):
            ok = target is JobStatus.SUCCEED
            values |= {
                "progress": "1.0",
                "error_code": 0 if ok else request.error_code,
                "error_desc": "" if ok else cut(request.error_desc or request.why, LONGEST_DESCRIPTION),
            }
        if not await store.update_group(tx, job_id, JOB.sources(target), values):
            raise Conflict(codes.TRANSITION_REFUSED, f"job {job_id} is {row.status} and cannot become {target}")
        if JOB.final(target):
            await store_retention.keep_files(tx, {job_id: now})
        await self._count(tx, row, target)
        await store.insert_events(tx, [_event(job_id, now, row.status, target, request.by, request.why)])

    async def _count(self, tx: Transaction, row: Row, target: JobStatus) -> None:
        """Metrics of a transition from `row`; of a later attempt only how it ended, for it began with the first."""
        now, kind = self._clock.now_ms(), row.engine_type or ""
        waited = (now - to_ms(row.created_time)) / 1000
        if row.status == JobStatus.RUNNING:
            began = await store.running_since(tx, row.id)
            if began is not None:
                after_commit(partial(_RAN.labels(kind, target).observe, (now - to_ms(began)) / 1000))
        elif row.live_attempt == 1 and target is JobStatus.SCHEDULED:
            after_commit(partial(_QUEUED.labels(kind).observe, waited))
        elif row.live_attempt == 1 and target is JobStatus.RUNNING:
            after_commit(partial(_STARTED.labels(kind).observe, waited))
        if JOB.final(target):
            after_commit(_ENDED.labels(kind, target).inc)

    async def tell(self, tx: Transaction, request: pb.AddStoryRequest) -> None:
        """Add a line to the job's story without a change of status."""
        row = await store.job(tx, job_id=request.job_id)
        if row is None or row.live_epoch != request.epoch:
            raise Conflict(codes.NO_LONGER_YOURS, f"job {request.job_id} has ended or belongs to a later owner")
        now = to_datetime(self._clock.now_ms())
        await store.insert_events(tx, [_event(request.job_id, now, row.status, row.status, request.by, request.why)])


async def find(tx: Transaction, *, job_id: int = 0, short_id: str = "") -> pb.Job:
    """A job by id or short id. Raises NotFound."""
    row = await store.job(tx, job_id=job_id, short_id=short_id)
    if row is None:
        raise NotFound(codes.JOB_UNKNOWN, f"there is no job {short_id or job_id}")
    return to_job(row)


def to_job(row: Row) -> pb.Job:
    """The message of a row that `store.job` gives."""
    labels = json.loads(row.labels or "{}")
    return pb.Job(
        job_id=row.id,
        short_id=row.job_req_id or "",
        submit_user=row.submit_user or "",
        execute_user=row.execute_user or "",
        creator=str(labels.get("userCreator", "-")).partition("-")[2],
        source=row.source or "",
        labels=row.labels or "",
        params=row.params or "",
        progress=float(row.progress or 0),
        status=row.status or "",
        log_path=row.log_path or "",
        error_code=row.error_code or 0,
        error_desc=row.error_desc or "",
        created_at_ms=to_ms(row.created_time),
        updated_at_ms=to_ms(row.updated_time),
        instance=row.instances or "",
        metrics=row.metrics or "",
        engine_type=row.engine_type or "",
        run_type=str(labels.get("codeType", "")),
        execution_code=row.execution_code or "",
        result_location=row.result_location or "",
        observe_info=row.observe_info or "",
        live=to_live(row) if row.live_job_id is not None else None,
        removed=pb.RemovedFiles(at_ms=to_ms(row.removed_at), why=row.removed_why) if row.removed_at else None,
    )


def to_live(row: Row) -> pb.LiveJob:
    return pb.LiveJob(
        job_id=row.id,
        short_id=row.job_req_id,
        instance=row.live_instance,
        epoch=row.live_epoch,
        attempt=row.live_attempt,
        wanted=row.live_wanted,
        wanted_by=row.live_wanted_by,
        request=row.live_request,
        events_seen=row.live_events_seen,
        engine_id=row.live_engine_id,
        node=row.live_node,
        ecm_address=row.live_ecm_address,
        tenant=Tenant(row.live_user, row.live_creator).message(),
        status=row.status,
        log_path=row.log_path or "",
        result_location=row.result_location or "",
        created_at_ms=to_ms(row.created_time),
    )


def _group_values(request: pb.SaveJobHistoryRequest) -> dict[str, object]:
    refused = request.HasField("refusal")
    return {
        "job_req_id": request.short_id,
        "submit_user": request.tenant.user,
        "execute_user": request.execute_user,
        "source": request.source,
        "labels": request.labels,
        "params": request.params,
        "progress": "1.0" if refused else "0.0",
        "status": JobStatus.FAILED if refused else JobStatus.INITED,
        "error_code": request.refusal.error_code if refused else None,
        "error_desc": cut(request.refusal.error_desc, LONGEST_DESCRIPTION) if refused else None,
        "log_path": request.log_path,
        "instances": request.instance,
        "metrics": "{}",
        "engine_type": request.engine_type,
        "execution_code": request.execution_code,
        "result_location": request.result_location,
    }


def _with_engine(row: Row, engine_id: str) -> str:
    """The job's metrics with its engine's id, as Linkis keeps it: there it is found when the live row is gone."""
    return json.dumps({**json.loads(row.metrics or "{}"), "engineInstance": engine_id})


def _next_attempt(row: Row) -> dict[str, object]:
    """The live row of a job that is tried again: a fresh task, on any engine."""
    return {"attempt": row.live_attempt + 1, "events_seen": 0, "engine_id": "", "node": "", "ecm_address": ""}


def _live_values(job_id: int, request: pb.SaveJobHistoryRequest) -> dict[str, object]:
    return {
        "job_id": job_id,
        "short_id": request.short_id,
        "instance": request.instance,
        "epoch": 1,
        "attempt": 1,
        "wanted": "run",
        "wanted_by": "",
        "request": request.request,
        "events_seen": 0,
        "engine_id": "",
        "node": "",
        "ecm_address": "",
        "user": request.tenant.user,
        "creator": request.tenant.creator,
    }


def _first_event(job_id: int, request: pb.SaveJobHistoryRequest, at: object) -> Mapping[str, object]:
    named = f"Job {job_id} ({request.short_id})"
    if request.HasField("refusal"):
        why = f"{named} is refused: {request.refusal.error_desc}"
        return _event(job_id, at, "", JobStatus.FAILED, "entrance", why)
    return _event(job_id, at, "", JobStatus.INITED, request.tenant.user, f"{named} is accepted")


def _event(job_id: int, at: object, source: str, target: str, by: str, why: str) -> Mapping[str, object]:
    return {
        "job_id": job_id,
        "at": at,
        "from_status": source,
        "to_status": target,
        "by": by,
        "why": cut(why, LONGEST_DESCRIPTION),
    }


def _too_long(request: pb.SaveJobHistoryRequest) -> Invalid | None:
    """The first value that does not fit its column; both databases then refuse the same."""
    try:
        for name, value in _group_values(request).items():
            check_length(name, value)
    except Invalid as error:
        return error
    return None


def check_length(column: str, value: object) -> None:
    """Raises Invalid for a text that does not fit a column of the group row."""
    longest = getattr(GROUP.c[column].type, "length", None) or LONGEST_TEXT
    if isinstance(value, str) and len(value.encode()) > longest:
        raise Invalid(codes.FIELD_INVALID, f"{column} is longer than {longest} bytes; shorten it", field=column)


def _taken(short_id: str) -> AlreadyExists:
    return AlreadyExists(codes.NAME_TAKEN, f"another instance has made {short_id}; make a new id")


def cut(text: str, longest: int) -> str:
    """At most so many characters of a text; what is cut is said."""
    return text if len(text) <= longest else text[: longest - 7] + "… (cut)"
