"""A job's log, wherever it is now: its story before it runs, its node while it runs, the storage root afterwards."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from functools import lru_cache

from commons.lines import Lines
from commons.process.clock import log_time
from commons.process.errors import HeadgateError
from commons.storage import Storage
from protocol import names
from protocol.ecm.client import Stub as Ecm
from protocol.ecm.v1 import ecm_pb2
from protocol.jobhistory.client import Stub as JobHistory
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from protocol.states.job import JOB, JobStatus

LOGS_AT_ONCE = 100


def rendered(story: Iterable[pb.StoryLine]) -> list[str]:
    """The story as log lines, one for each event."""
    lines = []
    for line in story:
        level = "ERROR" if line.to == JobStatus.FAILED and getattr(line, "from") != line.to else "INFO"
        text = " ".join(line.why.split())
        lines.append(f"{log_time(line.at_ms)} {level} {text}")
        if JOB.final(JobStatus(line.to)):
            lines.append(f"{log_time(line.at_ms)} INFO {names.ENDED_BADLY.format(line.to)}")
    return lines


class Logs:
    """One way to read a log, by lines; numbers never shift, since a task's log begins with its story."""

    def __init__(self, jobhistory: JobHistory, storage: Storage, ecm_of: Callable[[str], Ecm]) -> None:
        self._jobhistory = jobhistory
        self._storage = storage
        self._ecm_of = ecm_of
        # where lines begin in the logs that are being read: a published log does not change
        self._lines_of = lru_cache(LOGS_AT_ONCE)(lambda path: Lines(lambda: storage.open(path)))

    async def read(self, job: pb.Job, from_line: int, max_lines: int) -> list[str]:
        """At most `max_lines` lines from `from_line` (0 is the first)."""
        if job.HasField("removed"):  # the story is kept with the history
            story = await self._jobhistory.GetStory(pb.GetStoryRequest(job_id=job.job_id))
            told = [*rendered(story.lines), f"{log_time(job.removed.at_ms)} INFO {job.removed.why}"]
            return told[from_line : from_line + max_lines]
        if job.HasField("live") and job.status == JobStatus.RUNNING:
            # it may be not handed over yet, or over since the job was looked at; or its node is silent
            with contextlib.suppress(HeadgateError):
                reply = await self._ecm_of(job.live.ecm_address).ReadTaskLog(
                    ecm_pb2.ReadTaskLogRequest(
                        job_id=job.job_id, attempt=job.live.attempt, from_line=from_line, max_lines=max_lines
                    )
                )
                return list(reply.lines)
        path = self._storage.relative(job.log_path)
        lines = await asyncio.to_thread(self._published, path, from_line, max_lines) if path is not None else None
        if lines is not None:
            return lines
        story = await self._jobhistory.GetStory(pb.GetStoryRequest(job_id=job.job_id))
        if JOB.final(JobStatus(story.lines[-1].to)) and not JOB.final(JobStatus(job.status)):
            return []  # it has ended since it was looked at: its log, not its story, has the next lines
        return rendered(story.lines)[from_line : from_line + max_lines]

    def _published(self, path: str, from_line: int, max_lines: int) -> list[str] | None:
        try:
            return self._lines_of(path).read(from_line, max_lines)
        except FileNotFoundError:
            return None
