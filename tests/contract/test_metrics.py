"""What the manager, the history and an entrance's lease count and read, on real databases and clocks turned by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from commons.database.connections import Database
from commons.process.errors import Conflict, HeadgateError, Unavailable
from commons.process.settings import Settings
from protocol.jobhistory.v1 import jobhistory_pb2
from services import schema
from services.entrance.held import Held
from services.entrance.instance import Instance
from services.jobhistory.instances import Instances
from services.jobhistory.jobs import Jobs
from services.jobhistory.readings import readings as history_readings
from services.jobhistory.rpc import JobHistoryServicer
from services.manager.readings import readings as manager_readings
from tests.contract.test_jobhistory import move, request
from tests.support.managing import ENDED, GIB, READY, HandClock, Managing, managing
from tests.support.metrics import Scraped, here


@pytest.fixture
async def manager(tmp_path: Path) -> AsyncIterator[Managing]:
    async with managing(tmp_path, Settings(engine_idle_seconds=60, lease_seconds=15), cores=2) as manager:
        yield manager


class Grown:
    """How far counts have risen since `before`."""

    def __init__(self, before: Scraped, now: Scraped) -> None:
        self._before, self._now = before, now

    def __call__(self, name: str, **labels: str) -> float:
        return round(self._now(name, **labels) - self._before(name, **labels), 6)


async def test_engines_are_counted_by_how_they_start_stop_and_end(manager: Managing) -> None:
    before = await here()
    await manager.ask(1)
    await manager.starting.round()
    manager.clock.turn(7)
    await manager.report(**{manager.node.created[0].engine_id: ENDED})
    (engine,) = await manager.ready(2)
    await manager.give(2)
    manager.clock.turn(60)
    await manager.reconcile.round()
    await manager.settle()
    await manager.ready(3)
    await manager.give(3, spoiled=True)
    await manager.give(3, spoiled=True)
    grown = Grown(before, await here())
    assert grown("engine_start_seconds_count", kind="flink", outcome="failed") == 1
    assert grown("engine_start_seconds_sum", outcome="failed") == 7
    assert grown("engine_start_seconds_count", outcome="ready") == 2
    assert grown("engines_ended_total", kind="flink", outcome="failed") == 1
    assert grown("engines_ended_total", kind="flink", outcome="stopped") == 1
    assert [grown("engine_stops_total", reason=reason) for reason in ("idle", "spoiled", "room")] == [1, 1, 0]
    await manager.report(**{engine: READY})  # told of once more, long after its end
    assert Grown(before, await here())("engine_start_seconds_count") == 3


async def test_an_engine_that_makes_room_is_counted_so(manager: Managing) -> None:
    before = await here()
    await manager.ready(1, 2)
    await manager.give(1)
    await manager.ask(3, "bob")
    assert Grown(before, await here())("engine_stops_total", reason="room") == 1


async def test_rows_of_the_manager_are_read(manager: Managing) -> None:
    await manager.ready(1, 2)
    await manager.give(1)
    await manager.ask(3, "bob", version="2")
    manager.clock.turn(5)
    await manager.ask(4, "bob", version="2")
    told = {(metric.name.removeprefix("headgate_"), labels): value for metric, labels, value in await read(manager)}
    assert (told["engine_requests_waiting", ()], told["engine_requests_oldest_seconds", ()]) == (2, 5)
    assert (told["engines", ("flink", "busy")], told["engines", ("flink", "stopping")]) == (1, 1)
    assert (told["nodes", ("Alive",)], told["nodes", ("Lost",)]) == (1, 0)
    assert (told["node_free_cores", ("n1",)], told["node_free_memory_bytes", ("n1",)]) == (0, 6 * GIB)
    manager.clock.turn(31)
    await manager.reconcile.round()
    told = {(metric.name.removeprefix("headgate_"), labels): value for metric, labels, value in await read(manager)}
    assert (told["nodes", ("Alive",)], told["nodes", ("Lost",)]) == (0, 1)
    assert not any(name.startswith(("node_", "engines")) for name, _ in told)


async def read(manager: Managing) -> list[tuple[object, tuple[str, ...], float]]:
    return await manager_readings(manager.db, manager.clock)


class Door:
    """The history's methods without a call in between."""

    def __init__(self, history: JobHistoryServicer) -> None:
        self._history = history

    def __getattr__(self, name: str) -> Callable[[object], Awaitable[Any]]:
        return lambda request: getattr(self._history, name)(request, None)


async def test_jobs_are_timed_by_their_rows_once_for_all_attempts(tmp_path: Path) -> None:
    db, clock = await Database.open(f"sqlite+aiosqlite:///{tmp_path}/test.db"), HandClock()
    await schema.create(db, "test")
    history = JobHistoryServicer(db, Jobs(clock, 3), Instances(db, clock, 15_000), clock)
    before = await here()
    submit = request("s1")
    submit.log_path, submit.result_location = "file:///s1/1/log", "file:///s1/1/results"
    job = await history.SaveJobHistory(submit, None)
    await history.SaveJobHistory(submit, None)
    held = Held(job, job.story)

    async def step(*to: str, source: str) -> None:
        held.learn(await history.UpdateJobStatus(move(job, *to, source=source), None))

    attempts = [(3, "Scheduled"), (4, "Running"), (5, "WaitForRetry"), (100, "Scheduled"), (6, "Running")]
    for seconds, status in attempts:
        clock.turn(seconds)
        await step(status, source=held.live.status)
        if status == "WaitForRetry":
            assert await held.refresh(Door(history)) and held.live.attempt == 2
    assert [(labels, count) for _, labels, count in await history_readings(db) if count] == [(("Running",), 1)]
    clock.turn(2)
    line = jobhistory_pb2.AddStoryRequest(job_id=job.job_id, epoch=1, why="a line", by="test", status="Running")
    held.learn(await history.AddStory(line, None))
    clock.turn(6)
    with pytest.raises(Conflict):
        await step("Inited", source="Running")
    await step("Succeed", source="Running")
    grown = Grown(before, await here())
    assert grown("jobs_submitted_total", kind="flink") == 1
    assert grown("jobs_ended_total", kind="flink", status="Succeed") == grown("jobs_ended_total") == 1
    assert (grown("job_queue_seconds_count"), grown("job_queue_seconds_sum")) == (1, 3)
    assert (grown("job_start_seconds_count"), grown("job_start_seconds_sum")) == (1, 7)
    assert grown("job_run_seconds_sum", status="WaitForRetry") == 5
    assert grown("job_run_seconds_sum", status="Succeed") == 8
    assert [count for *_, count in await history_readings(db)] == [0, 0, 0, 0]
    await db.close()


class History:
    """Answers an entrance that renews its lease, or refuses."""

    def __init__(self) -> None:
        self.fault: HeadgateError | None = None

    async def RegisterInstance(self, request: object) -> jobhistory_pb2.JobIds:
        return jobhistory_pb2.JobIds()

    async def RenewInstance(self, request: object) -> jobhistory_pb2.RenewInstanceReply:
        if self.fault is not None:
            raise self.fault
        return jobhistory_pb2.RenewInstanceReply()


async def test_renewals_of_a_lease_are_counted_by_their_outcome() -> None:
    history, before = History(), await here()
    instance = Instance("i", history, None, 0.01)
    await instance.start()
    faults = {"renewed": None, "failed": Unavailable(1, "no answer"), "lost": Conflict(1, "another has it")}
    for outcome, history.fault in faults.items():
        async with asyncio.timeout(10):
            while not Grown(before, await here())("lease_renewals_total", outcome=outcome):
                await asyncio.sleep(0.01)
    await instance.stop()
