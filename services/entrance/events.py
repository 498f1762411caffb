"""What a client watches of a job: one stream of status, progress, log lines and the end, which can be resumed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from protocol.states.job import JOB, JobStatus
from services.entrance.jobs import Jobs
from services.entrance.users import Asker
from services.entrance.wire import logs
from services.entrance.wire.exec_id import JobId
from services.entrance.wire.jobs import exec_id_of, progress_info, shown_status

POLL_SECONDS = 0.2
QUIET_SECONDS = 15.0
LINES_AT_ONCE = 500


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
    line, quiet = after, 0.0
    told: dict[str, dict[str, object]] = {}
    while True:
        ended = JOB.final(JobStatus(job.status))
        now: dict[str, dict[str, object]] = {"status": {"status": shown_status(job)}, "progress": progress(job)}
        for kind, data in now.items():
            if told.get(kind) != data:
                told[kind], quiet = data, 0.0
                yield Event(kind, line, {**data, "execID": exec_id_of(job)})
        while lines := await jobs.log(job, line, LINES_AT_ONCE):
            line, quiet = line + len(lines), 0.0
            yield Event("log", line, {"log": logs.levels(lines), "fromLine": line, "execID": exec_id_of(job)})
        if ended:
            yield Event("end", line, {"status": shown_status(job), "taskID": job.job_id, "execID": exec_id_of(job)})
            return
        await asyncio.sleep(POLL_SECONDS)
        quiet += POLL_SECONDS
        if quiet >= QUIET_SECONDS:
            quiet = 0.0
            yield None
        job = await jobs.find(JobId(job.job_id), asker)


def progress(job: pb.Job) -> dict[str, object]:
    """How far the job is, from 0 to 1, and the steps of the statement that runs."""
    ended = JOB.final(JobStatus(job.status))
    vertices = [] if ended else json.loads(job.metrics or "{}").get("vertices", [])
    return {"progress": job.progress, "progressInfo": progress_info(vertices)}
