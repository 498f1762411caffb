"""A held job as its doors see it: each change a new message, and whoever waits is woken."""

from __future__ import annotations

import asyncio

import pytest

from commons.process.errors import Conflict, NotFound
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from services.entrance.held import Held


def line(source: str, to: str, at_ms: int = 0) -> pb.StoryLine:
    return pb.StoryLine(at_ms=at_ms, to=to, **{"from": source})


def job(epoch: int = 1, attempt: int = 1, status: str = "Inited") -> pb.Job:
    live = pb.LiveJob(job_id=7, short_id="s", epoch=epoch, attempt=attempt, status=status)
    return pb.Job(job_id=7, short_id="s", status=status, metrics="{}", engine_type="shell", live=live)


class History:
    """Answers with what it is given."""

    def __init__(self, found: pb.Job | None) -> None:
        self._found = found

    async def FindJob(self, request: pb.FindJobRequest) -> pb.Job:
        if self._found is None:
            raise NotFound(1, "gone")
        return self._found

    async def GetStory(self, request: pb.GetStoryRequest) -> pb.Story:
        return pb.Story(lines=[line("", "Inited"), line("Inited", "WaitForRetry")])


def running(held: Held) -> None:
    steps = [line("Inited", "Scheduled", 5), line("Scheduled", "Running", 6)]
    held.live.engine_id = "e1"
    held.learn(pb.JobChange(status="Running", metrics='{"engineInstance": "e1"}', updated_at_ms=6, added=steps))


def test_a_change_is_seen_by_the_doors_and_by_who_runs_the_job() -> None:
    held = Held(job(), [line("", "Inited")])
    before = held.job
    running(held)
    assert (before.status, held.job.status, held.live.status) == ("Inited", "Running", "Running")
    assert (held.job.live.engine_id, held.job.metrics) == ("e1", '{"engineInstance": "e1"}')
    assert ([each.to for each in held.story], held.running_since_ms) == (["Inited", "Scheduled", "Running"], 6)
    held.learn(pb.JobChange(status="Running", progress=0.5, updated_at_ms=7))
    assert (held.job.progress, held.job.metrics) == (0.5, '{"engineInstance": "e1"}')
    held.learn(pb.JobChange(status="Failed", progress=1.0, error_code=3, error_desc="why", updated_at_ms=8))
    assert (held.job.HasField("live"), held.job.error_code, held.job.error_desc) == (False, 3, "why")
    assert held.live.engine_id == "e1", "what runs the job still needs it"


async def test_who_waits_is_woken_by_a_change_and_by_nothing_that_he_has_seen() -> None:
    held = Held(job(), [])
    seen = held.job
    waiting = asyncio.create_task(held.later(seen, 60))
    await asyncio.sleep(0)
    assert not waiting.done()
    running(held)
    assert (await waiting).status == "Running"
    assert (await held.later(seen, 60)).status == "Running", "it has changed before he asked"
    assert await held.later(held.job, 0.01) is held.job


@pytest.mark.parametrize(("found", "goes_on"), [(job(attempt=2, status="WaitForRetry"), True), (None, False)])
async def test_rows_are_read_again_after_an_answer_was_lost(found: pb.Job | None, goes_on: bool) -> None:
    held = Held(job(), [])
    assert await held.refresh(History(found)) == goes_on
    assert held.live.attempt == (2 if goes_on else 1) and len(held.story) == (2 if goes_on else 0)


async def test_a_job_with_a_higher_epoch_is_another_owners() -> None:
    held = Held(job(), [])
    with pytest.raises(Conflict, match="belongs to a later owner"):
        await held.refresh(History(job(epoch=2)))
    assert held.live.epoch == 1, "with that nothing of the other owner's is written"
