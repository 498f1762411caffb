"""How an attempt ends whose engine has no word of its own, and when a job is somebody else's."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from commons.process.errors import Conflict, HeadgateError
from protocol import codes
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from protocol.states.job import JobStatus
from services.entrance import dispatch
from services.entrance.dispatch import Parts, _After, _unfinished, run_job
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


class Manager:
    def __init__(self) -> None:
        self.given_back = 0

    async def ReleaseEngine(self, request: object) -> None:
        self.given_back += 1


class Grants:
    def __init__(self) -> None:
        self.forgotten = 0

    def forget(self, job: object) -> None:
        self.forgotten += 1


@pytest.mark.parametrize(("epoch", "runs", "given_back"), [(1, 2, 1), (2, 1, 0), (0, 1, 1)])
async def test_a_refused_write_is_ours_again_another_owners_or_the_end(
    monkeypatch: pytest.MonkeyPatch, epoch: int, runs: int, given_back: int
) -> None:
    """An answer was lost (the epoch is as it was), another has taken the job over, or the job has ended."""
    history: Any = History("run", "")
    history.job.live.epoch = epoch
    if not epoch:
        history.job.ClearField("live")
    ran: list[int] = []

    async def run(held: Held, *_: object) -> _After:
        ran.append(held.live.epoch)
        if len(ran) == 1:
            raise Conflict(codes.NO_LONGER_YOURS, "events after 3 are not yours to tell")
        return _After(spoiled=False)

    monkeypatch.setattr(dispatch, "_run", run)
    monkeypatch.setattr(dispatch, "AGAIN_SECONDS", 0)
    manager, grants = Manager(), Grants()
    parts: Any = Parts(history, manager, None, grants, None)  # type: ignore[arg-type]
    await asyncio.wait_for(run_job(Held(history.told, []), asyncio.Event(), parts), 10)
    assert (len(ran), set(ran)) == (runs, {1}), "never with another owner's epoch"
    assert (manager.given_back, grants.forgotten) == (given_back, 1)
