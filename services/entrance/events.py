"""What a client watches of a job: one stream of status, progress, log lines and the end, which can be resumed."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from protocol.states.job import JOB, JobStatus
from services.entrance.jobs import Jobs
from services.entrance.users import Asker
from services.entrance.wire import logs
from services.entrance.wire.jobs import exec_id_of, progress_info, shown_status

QUIET_SECONDS = 15.0
LINES_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Event:
    """`number` counts the lines of the job's journal (its log) that have been told: from there a client goes on."""

    kind: str
    number: int
    data: dict[str, object]


async def events(jobs: Jobs, job: pb.Job, asker: Asker, after: int) -> AsyncIterator[Event | None]:
    """Each event as it comes, the last one is `end`; None now and then while nothing comes.

    Status and progress are told when they differ from what was told before; log lines from line `after` on, each once.
    """
    line, told_at = after, time.monotonic()
    told: dict[str, dict[str, object]] = {}
    while True:
        now: dict[str, dict[str, object]] = {"status": {"status": shown_status(job)}, "progress": progress(job)}
        for kind, data in now.items():
            if told.get(kind) != data:
                told[kind], told_at = data, time.monotonic()
                yield Event(kind, line, {**data, "execID": exec_id_of(job)})
        while lines := await jobs.log(job, line, LINES_AT_ONCE):
            line, told_at = line + len(lines), time.monotonic()
            yield Event("log", line, {"log": logs.levels(lines), "fromLine": line, "execID": exec_id_of(job)})
        if JOB.final(JobStatus(job.status)):
            yield Event("end", line, {"status": shown_status(job), "taskID": job.job_id, "execID": exec_id_of(job)})
            return
        if time.monotonic() - told_at >= QUIET_SECONDS:
            told_at = time.monotonic()
            yield None
        job = await jobs.later(job, asker, max(0.0, told_at + QUIET_SECONDS - time.monotonic()))


def progress(job: pb.Job) -> dict[str, object]:
    """How far the job is, from 0 to 1, and the steps of the statement that runs."""
    ended = JOB.final(JobStatus(job.status))
    vertices = [] if ended else json.loads(job.metrics or "{}").get("vertices", [])
    return {"progress": job.progress, "progressInfo": progress_info(vertices)}
