"""A job's log, wherever it is now: its story before it runs, its node while it runs, the storage root afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from commons.process.clock import log_time
from commons.process.errors import HeadgateError
from commons.storage import Storage
from protocol import names
from protocol.ecm.client import Stub as Ecm
from protocol.ecm.v1 import ecm_pb2
from protocol.jobhistory.client import Stub as JobHistory
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from protocol.states.job import JOB, JobStatus


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

    async def read(self, job: pb.Job, from_line: int, max_lines: int) -> list[str]:
        """At most `max_lines` lines from `from_line` (0 is the first)."""
        if job.HasField("removed"):  # the story is kept with the history
            story = await self._jobhistory.GetStory(pb.GetStoryRequest(job_id=job.job_id))
            told = [*rendered(story.lines), f"{log_time(job.removed.at_ms)} INFO {job.removed.why}"]
            return told[from_line : from_line + max_lines]
        if job.HasField("live") and job.status == JobStatus.RUNNING:
            try:
                reply = await self._ecm_of(job.live.ecm_address).ReadTaskLog(
                    ecm_pb2.ReadTaskLogRequest(
                        job_id=job.job_id, attempt=job.live.attempt, from_line=from_line, max_lines=max_lines
                    )
                )
                return list(reply.lines)
            except HeadgateError:
                pass  # not handed over yet, or its node is silent: what is known is the story
        else:
            path = self._storage.relative(job.log_path)
            lines = await asyncio.to_thread(self._published, path, from_line, max_lines) if path is not None else None
            if lines is not None:
                return lines
        story = await self._jobhistory.GetStory(pb.GetStoryRequest(job_id=job.job_id))
        return rendered(story.lines)[from_line : from_line + max_lines]

    def _published(self, path: str, from_line: int, max_lines: int) -> list[str] | None:
        try:
            file = self._storage.open(path)
        except FileNotFoundError:
            return None
        lines: list[str] = []
        with file:
            rest, number = b"", 0
            while len(lines) < max_lines and (chunk := file.read(1 << 16)):
                *whole, rest = (rest + chunk).split(b"\n")
                skip = max(0, from_line - number)
                lines += [line.decode("utf-8", "replace") for line in whole[skip:]]
                number += len(whole)
        return lines[:max_lines]
