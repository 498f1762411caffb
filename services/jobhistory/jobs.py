"""Jobs: saved once, moved from status to status by their owner alone, ended for good."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

from commons.database.connections import Row, RowMapping, Transaction
from commons.database.marks import after_commit
from commons.process import telemetry
from commons.process.clock import Clock, to_datetime, to_ms
from commons.process.errors import AlreadyExists, Conflict, Exhausted, Invalid, NotFound
from protocol import codes, layout
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from protocol.states.job import JOB, JobStatus
from protocol.values import Tenant
from services.jobhistory import savepoints, store, store_retention
from services.jobhistory.tables import GROUP

QUEUE_FULL = "The submission job failed and the queue is full!(提交作业失败，队列已满！)"
LONGEST_TEXT = 60_000
LONGEST_DESCRIPTION = 1000

_SUBMITTED = telemetry.counter("jobs_submitted", "Jobs that were saved.", ("kind",))


class Jobs:
    """The only writer of job status. Every method takes the transaction it works in."""

    def __init__(self, clock: Clock, tenant_queued_jobs: int) -> None:
        self._clock = clock
        self._tenant_queued_jobs = tenant_queued_jobs

    async def save_many(
        self, tx: Transaction, requests: Sequence[pb.SaveJobHistoryRequest]
    ) -> list[pb.Job | Exception]:
        """Save jobs in one transaction: for each its job, or the error it is refused with."""
        fresh, answers = await self._choose(tx, requests, {})
        saved = await self._insert(tx, list(fresh.values()))
        if saved is None:  # some were saved before, which is rare
            known = await store.jobs_by_short_ids(tx, {request.short_id for request in requests})
            fresh, answers = await self._choose(tx, requests, known)
            saved = await self._insert(tx, list(fresh.values()))
            assert saved is not None
        jobs = {job.short_id: job for job in saved}
        return [answers.get(index) or jobs[request.short_id] for index, request in enumerate(requests)]

    async def _choose(
        self, tx: Transaction, requests: Sequence[pb.SaveJobHistoryRequest], known: Mapping[str, Row]
    ) -> tuple[dict[str, pb.SaveJobHistoryRequest], dict[int, pb.Job | Exception]]:
        """Those to insert, by short id, and the answers of all others, by their place among the requests."""
        waiting = await store.waiting(tx, {Tenant.of(request.tenant) for request in requests})
        fresh: dict[str, pb.SaveJobHistoryRequest] = {}
        answers: dict[int, pb.Job | Exception] = {}
        for index, request in enumerate(requests):
            row, tenant = known.get(request.short_id), Tenant.of(request.tenant)
            if row is not None:
                answers[index] = to_job(row) if row.instances == request.instance else _taken(request.short_id)
            elif request.short_id in fresh:  # the same submit, sent again before it was answered
                continue
            elif waiting.get(tenant, 0) >= self._tenant_queued_jobs and not request.HasField("refusal"):
                answers[index] = Exhausted(codes.QUEUE_FULL, QUEUE_FULL)
            elif (error := _too_long(request)) is not None:
                answers[index] = error
            else:
                waiting[tenant] = waiting.get(tenant, 0) + (not request.HasField("refusal"))
                fresh[request.short_id] = request
        return fresh, answers

    async def _insert(self, tx: Transaction, requests: Sequence[pb.SaveJobHistoryRequest]) -> list[pb.Job] | None:
        """The new jobs; None, and nothing is inserted, when one of them is there already."""
        if not requests:
            return []
        now_ms = self._clock.now_ms()
        now = to_datetime(now_ms)
        groups = [{**_group_values(request), "created_time": now, "updated_time": now} for request in requests]
        ids = await store.insert_groups(tx, groups)
        if ids is None:
            return None
        saved = [(ids[request.short_id], request) for request in requests]
        for job_id, request in saved:
            if request.resumes:
                await savepoints.resume(tx, request.resumes, job_id)
        if live := [_live_values(*each) for each in saved if not each[1].HasField("refusal")]:
            await store.insert_live(tx, live)
        if refused := [each for each in saved if each[1].HasField("refusal")]:
            await store_retention.keep_files(tx, {job_id: now for job_id, _ in refused})
            await store.insert_events(tx, [_refused_event(job_id, request, now) for job_id, request in refused])
        for request in requests:
            after_commit(_SUBMITTED.labels(request.engine_type).inc)
        return [_saved_job(job_id, request, now_ms) for job_id, request in saved]

    async def move(self, tx: Transaction, request: pb.UpdateJobStatusRequest, **more: object) -> pb.JobChange:
        """The one place where a status is written. `more` are further columns of the group row.

        Raises Conflict when the epoch is not the job's any more, when its status is not the one that the owner knows,
        or when a step may not follow the one before.
        """
        target, job_id = JobStatus(request.steps[-1].to), request.job_id
        _check_steps(request)
        if JOB.final(target):
            mine = await store.delete_live(tx, job_id, request.epoch)
        else:
            live = {"engine_id": request.engine_id, "node": request.node, "ecm_address": request.ecm_address}
            kept: dict[str, object] = {name: value for name, value in live.items() if value}
            if target is JobStatus.WAIT_FOR_RETRY and (row := await store.job(tx, job_id=job_id)) is not None:
                kept = _next_attempt(row)
                more |= {name: layout.next_attempt(getattr(row, name)) for name in ("log_path", "result_location")}
            mine = await store.update_live(tx, job_id, request.epoch, {**kept, "epoch": request.epoch})
        if not mine:
            raise _not_yours(job_id)
        now = to_datetime(self._clock.now_ms())
        values: dict[str, object] = {"status": target, "updated_time": now, **more}
        if request.engine_id:  # where Linkis keeps it: it is found there when the live row is gone
            values["metrics"] = json.dumps({"engineInstance": request.engine_id})
        if JOB.final(target):
            ok = target is JobStatus.SUCCEED
            why = "" if ok else cut(request.error_desc or request.steps[-1].why, LONGEST_DESCRIPTION)
            values |= {"progress": "1.0", "error_code": 0 if ok else request.error_code, "error_desc": why}
        if not await store.update_group(tx, job_id, request.source, values):
            raise Conflict(codes.TRANSITION_REFUSED, f"job {job_id} is not {request.source} and cannot become {target}")
        if JOB.final(target):
            await store_retention.keep_files(tx, {job_id: now})
        sources = [request.source, *(step.to for step in request.steps[:-1])]
        events = [
            _event(job_id, now, source, step.to, request.by, step.why)
            for source, step in zip(sources, request.steps, strict=True)
        ]
        await store.insert_events(tx, events)
        return _change(values, events)

    async def tell(self, tx: Transaction, request: pb.AddStoryRequest) -> pb.JobChange:
        """Add a line to the job's story without a change of status."""
        if not await store.update_live(tx, request.job_id, request.epoch, {"epoch": request.epoch}):
            raise _not_yours(request.job_id)
        now = to_datetime(self._clock.now_ms())
        events = [_event(request.job_id, now, request.status, request.status, request.by, request.why)]
        await store.insert_events(tx, events)
        return _change({"status": request.status}, events)


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


def _saved_job(job_id: int, request: pb.SaveJobHistoryRequest, now_ms: int) -> pb.Job:
    """The job as it has just been inserted, with the first line of its story."""
    columns = {**_group_values(request), "id": job_id, "created_time": to_datetime(now_ms)}
    live = {f"live_{name}": value for name, value in _live_values(job_id, request).items()}
    if request.HasField("refusal"):
        live = dict.fromkeys(live)
    row = SimpleNamespace(**columns, **live, updated_time=columns["created_time"], observe_info="", removed_at=None)
    job = to_job(cast(Row, row))
    job.story.extend(story(job, []))
    return job


def story(job: pb.Job, events: Sequence[Row]) -> list[pb.StoryLine]:
    """A job's story: that it was accepted, which no row tells again, and its events."""
    lines = [line_of(row._mapping) for row in events]
    if not (events[0].from_status if events else job.HasField("live")):
        return lines
    why = f"{_named(job.job_id, job.short_id)} is accepted"
    first = pb.StoryLine(at_ms=job.created_at_ms, to=JobStatus.INITED, by=job.submit_user, why=why)
    return [first, *lines]


def line_of(event: Mapping[str, Any] | RowMapping) -> pb.StoryLine:
    line = pb.StoryLine(at_ms=to_ms(event["at"]), to=event["to_status"], by=event["by"], why=event["why"])
    setattr(line, "from", event["from_status"])
    return line


def _named(job_id: int, short_id: str) -> str:
    return f"Job {job_id} ({short_id})"


def _change(values: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> pb.JobChange:
    """What a write of these columns and events has made of a job."""
    progress, metrics = values.get("progress"), values.get("metrics")
    return pb.JobChange(
        status=values["status"],
        progress=None if progress is None else float(progress),
        metrics=metrics,
        error_code=values.get("error_code", 0),
        error_desc=values.get("error_desc", ""),
        updated_at_ms=to_ms(values["updated_time"]) if "updated_time" in values else None,
        added=map(line_of, events),
    )


def _check_steps(request: pb.UpdateJobStatusRequest) -> None:
    source = JobStatus(request.source)
    for step in request.steps:
        if not JOB.allowed(source, JobStatus(step.to)):
            what = f"job {request.job_id} is {source} and cannot become {step.to}"
            raise Conflict(codes.TRANSITION_REFUSED, what)
        source = JobStatus(step.to)


def _not_yours(job_id: int) -> Conflict:
    return Conflict(codes.NO_LONGER_YOURS, f"job {job_id} has ended or belongs to a later owner")


def _refused_event(job_id: int, request: pb.SaveJobHistoryRequest, at: object) -> Mapping[str, object]:
    why = f"{_named(job_id, request.short_id)} is refused: {request.refusal.error_desc}"
    return _event(job_id, at, "", JobStatus.FAILED, "entrance", why)


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
