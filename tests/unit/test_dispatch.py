"""How an attempt ends whose engine has no word of its own: as its job was wished to, and with the reason."""

from __future__ import annotations

from typing import Any

import pytest

from commons.process.errors import Conflict, HeadgateError
from protocol import codes
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from protocol.states.job import JobStatus
from services.entrance.dispatch import Parts, _unfinished
from services.entrance.held import Held
from services.entrance.intake import JobRequest
from services.entrance.obtaining import Grant

RAN = "jobRunningTimeout=2"
WAITED = "jobQueuingTimeout=1"


class History:
    """One job, wished ended in some way meanwhile."""

    def __init__(self, wanted: str, by: str) -> None:
        request = JobRequest("x", "sh", "shell", "1", {}, retries=3).to_json()
        live = pb.LiveJob(job_id=1, attempt=1, epoch=1, status="Running", request=request)
        self.told = pb.Job(job_id=1, status="Running", live=live)
        self.job = pb.Job()
        self.job.CopyFrom(self.told)
        self.job.live.wanted, self.job.live.wanted_by = wanted, by
        self.ends: list[pb.UpdateJobStatusRequest] = []

    async def FindJob(self, request: pb.FindJobRequest) -> pb.Job:
        return self.job

    async def GetStory(self, request: pb.GetStoryRequest) -> pb.Story:
        return pb.Story()

    async def UpdateJobStatus(self, request: pb.UpdateJobStatusRequest) -> pb.JobChange:
        self.ends.append(request)
        return pb.JobChange(status=request.steps[-1].to)


@pytest.mark.parametrize(
    ("wanted", "by", "code", "status", "words"),
    [
        ("timeout", RAN, codes.ENGINE_GONE, "Timeout", f"the job ran for too long: {RAN}; the engine is gone: why"),
        ("timeout", RAN, codes.TASK_CLOSED, "Timeout", f"the job ran for too long: {RAN}"),
        ("timeout", WAITED, codes.TASK_CLOSED, "Timeout", f"the job waited for too long: {WAITED}"),
        ("timeout", RAN, codes.TASK_UNKNOWN, "Timeout", f"the job ran for too long: {RAN}; the engine is gone: why"),
        ("cancel", "alice", codes.ENGINE_GONE, "Cancelled", "the job was killed; the engine is gone: why"),
        ("run", "", codes.ENGINE_GONE, "WaitForRetry", "the engine is gone: why"),
    ],
)
async def test_an_attempt_without_an_end_of_its_own(wanted: str, by: str, code: int, status: str, words: str) -> None:
    history: Any = History(wanted, by)
    parts: Any = Parts(history, None, None, None, None)  # type: ignore[arg-type]
    held = Held(history.told, [])
    error: HeadgateError = Conflict(code, "why")
    after = await _unfinished(held, Grant(state=Grant.READY), error, parts)
    (end,) = history.ends
    assert (end.steps[-1].to, end.error_desc) == (status, words)
    assert after.retried == (status == JobStatus.WAIT_FOR_RETRY)
