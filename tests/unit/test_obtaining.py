"""The wait for an engine: what is told of it, and when."""

from __future__ import annotations

import asyncio

import pytest

from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from protocol.manager.v1 import manager_pb2
from services.entrance import obtaining
from services.entrance.held import Held
from services.entrance.intake import JobRequest
from services.entrance.obtaining import Grant, obtain

WAITING = Grant(job_id=7, attempt=1, state=Grant.WAITING, why="the tenant has 2 of 2 running jobs")
GRANTED = Grant(job_id=7, attempt=1, state=Grant.GRANTED, why="opening", engine_id="e1", node="n1")
READY = Grant(job_id=7, attempt=1, state=Grant.READY, engine_id="e1", node="n1")


class History:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def AddStory(self, request: pb.AddStoryRequest) -> pb.JobChange:
        self.told.append(request.why)
        return pb.JobChange(status=request.status)

    async def UpdateJobStatus(self, request: pb.UpdateJobStatusRequest) -> pb.JobChange:
        self.told.append(request.steps[-1].to)
        return pb.JobChange(status=request.steps[-1].to)

    async def WishCancel(self, request: pb.WishCancelRequest) -> pb.WishCancelReply:
        self.told.append(request.by)
        return pb.WishCancelReply()


class Grants:
    """Each answer some seconds after the one before; the last one stays."""

    def __init__(self, *answers: Grant, seconds: float) -> None:
        self._first, *self._later = answers
        self._seconds = seconds

    async def ask(self, request: manager_pb2.EngineRequest) -> Grant:
        return self._first

    async def news(self, request: manager_pb2.EngineRequest, seen: Grant) -> Grant:
        if not self._later:
            await asyncio.Event().wait()
        await asyncio.sleep(self._seconds)
        return self._later.pop(0)


def held(queuing_timeout_seconds: int = 0) -> Held:
    request = JobRequest("echo", "shell", "shell", "1", {}, queuing_timeout_seconds=queuing_timeout_seconds)
    live = pb.LiveJob(job_id=7, epoch=1, attempt=1, status="Inited", request=request.to_json())
    return Held(pb.Job(job_id=7, status="Inited", live=live), [])


@pytest.mark.parametrize(("patience_seconds", "told"), [(60, []), (0.01, [f"Waiting for an engine: {WAITING.why}"])])
async def test_who_waits_shortly_is_not_told_why(
    monkeypatch: pytest.MonkeyPatch, patience_seconds: float, told: list[str]
) -> None:
    monkeypatch.setattr(obtaining, "WAITS_UNTOLD_SECONDS", patience_seconds)
    history = History()
    assert await obtain(held(), asyncio.Event(), Grants(WAITING, READY, seconds=0.2), history) == READY
    assert history.told == told


async def test_an_engine_that_starts_is_told_of_at_once() -> None:
    history = History()
    assert await obtain(held(), asyncio.Event(), Grants(GRANTED, READY, seconds=0.05), history) == READY
    assert history.told == ["Scheduled", "The engine is starting: opening"]


@pytest.mark.parametrize("patience_seconds", [60, 0.01])
async def test_the_wait_ends_with_its_limit_and_with_a_kill(
    monkeypatch: pytest.MonkeyPatch, patience_seconds: float
) -> None:
    monkeypatch.setattr(obtaining, "WAITS_UNTOLD_SECONDS", patience_seconds)
    history, cancelled = History(), asyncio.Event()
    assert await obtain(held(1), cancelled, Grants(WAITING, seconds=0), history) is None
    assert history.told[-1] == "jobQueuingTimeout=1"
    waiting = asyncio.create_task(obtain(held(), cancelled, Grants(WAITING, seconds=0), history))
    await asyncio.sleep(0.05)
    cancelled.set()
    assert await waiting is None and history.told[-1] != "jobQueuingTimeout=0"
