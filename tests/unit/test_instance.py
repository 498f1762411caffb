"""An entrance's lease, and its jobs when it was not renewed in time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from services.entrance import instance as module
from services.entrance.held import Held
from services.entrance.instance import Instance


class History:
    """An entrance's jobs; each registration takes them with a higher epoch."""

    def __init__(self) -> None:
        self.incarnations: list[str] = []
        self.taken: list[int] = []

    async def RegisterInstance(self, request: pb.RegisterInstanceRequest) -> pb.JobIds:
        self.incarnations.append(request.incarnation)
        return pb.JobIds(job_ids=[7])

    async def RenewInstance(self, request: pb.RenewInstanceRequest) -> pb.RenewInstanceReply:
        taken, self.taken = self.taken, []
        return pb.RenewInstanceReply(taken=taken)

    async def FindJob(self, request: pb.FindJobRequest) -> pb.Job:
        epoch = len(self.incarnations)
        return pb.Job(job_id=7, short_id="s", live=pb.LiveJob(job_id=7, epoch=epoch, instance="i"))

    async def GetStory(self, request: pb.GetStoryRequest) -> pb.Story:
        return pb.Story()


@pytest.fixture
def epochs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Of the runs of the job; none ends by itself."""
    begun: list[int] = []

    async def run_job(held: Held, *_: object) -> None:
        begun.append(held.live.epoch)
        await asyncio.Event().wait()

    monkeypatch.setattr(module, "run_job", run_job)
    return begun


async def until(epochs: list[int], expected: list[int]) -> None:
    async with asyncio.timeout(10):
        while epochs != expected:
            await asyncio.sleep(0.01)


async def test_a_lease_that_was_not_renewed_in_time_is_begun_anew(epochs: list[int]) -> None:
    history: Any = History()
    instance = Instance("i", history, None, 0.2)  # type: ignore[arg-type]
    await instance.start()
    await until(epochs, [1])
    await asyncio.sleep(0.5)
    assert len(history.incarnations) == 1, "it is renewed in time"
    instance._renewed_at -= 60
    await until(epochs, [1, 2])
    assert len(set(history.incarnations)) == 2
    await instance.stop()


async def test_a_job_that_comes_back_is_run_by_its_new_epoch(epochs: list[int]) -> None:
    history: Any = History()
    instance = Instance("i", history, None, 0.2)  # type: ignore[arg-type]
    await instance.start()
    await until(epochs, [1])
    history.incarnations.append("of another, which has had it meanwhile")
    history.taken = [7]
    await until(epochs, [1, 2])
    await instance.stop()
