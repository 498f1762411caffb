"""A job that this instance holds, as it is recorded: what it is run by, and what the doors here tell of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from commons.process import telemetry
from commons.process.errors import Conflict, NotFound
from protocol import codes
from protocol.jobhistory.client import Stub as JobHistory
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from protocol.states.job import JOB, JobStatus

ENDED = telemetry.counter("jobs_ended", "Jobs that ended, by their last status.", ("kind", "status"))
_QUEUED = telemetry.histogram(
    "job_queue_seconds", "From submit until a place was given.", ("kind",), buckets=telemetry.JOB_SECONDS
)
_STARTED = telemetry.histogram(
    "job_start_seconds", "From submit until an engine had the job.", ("kind",), buckets=telemetry.JOB_SECONDS
)
_RAN = telemetry.histogram(
    "job_run_seconds", "Attempts on an engine, by how they ended.", ("kind", "status"), buckets=telemetry.JOB_SECONDS
)


class Held:
    """`job` is what the rows say, a new message for each change; `live` is what the job is run by, also after its end.

    Only the holder changes a held job, so its rows and this differ only while an answer is on its way, or after one
    was lost: then `refresh` reads them again.
    """

    def __init__(self, job: pb.Job, story: Sequence[pb.StoryLine]) -> None:
        self._changed = asyncio.Event()
        self._become(job, story)

    def _become(self, job: pb.Job, story: Sequence[pb.StoryLine]) -> None:
        self.job = job
        self.live = pb.LiveJob()
        self.live.CopyFrom(job.live)
        self.story = list(story)

    async def refresh(self, jobhistory: JobHistory) -> bool:
        """Whether the job has not ended; it is as its rows say now. Raises Conflict when it is another's."""
        found = await load(jobhistory, self.job.job_id)
        if found is None:
            return False
        if found.live.epoch != self.live.epoch:
            raise Conflict(codes.NO_LONGER_YOURS, f"job {self.job.job_id} belongs to a later owner")
        self._become(found.job, found.story)
        self.wake()
        return True

    def learn(self, change: pb.JobChange) -> None:
        """A change has been recorded."""
        for line in change.added:
            self._count(line)
        self.story.extend(change.added)
        self.live.status = change.status
        job = pb.Job()
        job.CopyFrom(self.job)
        job.status, job.error_code, job.error_desc = change.status, change.error_code, change.error_desc
        if change.HasField("updated_at_ms"):
            job.updated_at_ms = change.updated_at_ms
        if change.HasField("progress"):
            job.progress = change.progress
        if change.HasField("metrics"):
            job.metrics = change.metrics
        if JOB.final(JobStatus(change.status)):
            job.ClearField("live")
        else:
            job.live.CopyFrom(self.live)
        self.job = job
        self.wake()

    def observe(self, observe_info: str) -> None:
        """Whom to notify has been recorded."""
        job = pb.Job()
        job.CopyFrom(self.job)
        job.observe_info = observe_info
        self.job = job

    def wake(self) -> None:
        """Whoever waits looks again."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def later(self, seen: pb.Job, at_most_seconds: float) -> pb.Job:
        """The job once it is another message than `seen`, or when the time is over."""
        if self.job is seen:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(at_most_seconds):
                    await self._changed.wait()
        return self.job

    @property
    def running_since_ms(self) -> int:
        """When the last attempt began to run; 0 when none has."""
        began = (line for line in reversed(self.story) if line.to == JobStatus.RUNNING != getattr(line, "from"))
        return next(began, pb.StoryLine()).at_ms

    def _count(self, line: pb.StoryLine) -> None:
        """Metrics of a transition; of a later attempt only how it ended, for the job began with the first."""
        source, kind = getattr(line, "from"), self.job.engine_type
        waited = (line.at_ms - self.job.created_at_ms) / 1000
        if source == line.to:
            return
        if source == JobStatus.RUNNING:
            _RAN.labels(kind, line.to).observe((line.at_ms - self.running_since_ms) / 1000)
        elif self.live.attempt == 1 and line.to == JobStatus.SCHEDULED:
            _QUEUED.labels(kind).observe(waited)
        elif self.live.attempt == 1 and line.to == JobStatus.RUNNING:
            _STARTED.labels(kind).observe(waited)
        if JOB.final(JobStatus(line.to)):
            ENDED.labels(kind, line.to).inc()


async def load(jobhistory: JobHistory, job_id: int) -> Held | None:
    """A job as its rows say, to be held; None when it has ended."""
    try:
        job = await jobhistory.FindJob(pb.FindJobRequest(job_id=job_id))
    except NotFound:
        return None
    if not job.HasField("live"):
        return None
    return Held(job, (await jobhistory.GetStory(pb.GetStoryRequest(job_id=job_id))).lines)
