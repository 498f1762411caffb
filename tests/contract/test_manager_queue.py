"""Many who wait: what a step costs does not grow with them, turns stay fair, and each is told why it waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event

from commons.process.settings import Settings
from protocol.manager.v1 import manager_pb2 as pb
from protocol.values import JobRef
from services.manager import store_requests
from services.manager.requests import Release
from tests.support.managing import ENDED, Managing, managing

SETTINGS = Settings(tenant_engines=2, tenant_running_jobs=2)
PLACES = "2 of this tenant's jobs are running and its limit is 2"


@pytest.fixture
async def manager(tmp_path: Path) -> AsyncIterator[Managing]:
    async with managing(tmp_path, SETTINGS) as manager:
        yield manager


@contextmanager
def statements(manager: Managing) -> Iterator[list[str]]:
    """The SQL that is executed meanwhile, begins and ends of transactions aside."""
    found: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            found.append(statement)

    engines = {manager.db._writer.sync_engine, manager.db._readers.sync_engine}
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    yield found
    for engine in engines:
        event.remove(engine, "before_cursor_execute", note)


async def why(manager: Managing, *jobs: int) -> set[str]:
    return {(await manager.grant(job)).why for job in jobs}


async def test_a_short_job_takes_few_statements(manager: Managing) -> None:
    await manager.ready(1)
    with statements(manager) as given:
        await manager.give(1)
    with statements(manager) as asked:
        assert (await manager.ask(2)).state == pb.EngineGrant.READY
    assert (len(asked), len(given)) == (4, 3)


async def test_what_a_step_costs_does_not_grow_with_the_queue(manager: Managing) -> None:
    async def step(jobs: tuple[int, int, int]) -> tuple[int, int]:
        """Somebody is queued at the end, and the first two places go on."""
        with statements(manager) as asked:
            assert (await manager.ask(jobs[0])).state == pb.EngineGrant.WAITING
        with statements(manager) as given:
            await manager.give(jobs[1])
        assert await manager.states(jobs[2]) == ["READY"]
        return len(asked), len(given)

    await manager.ready(1, 2)
    few = await step((3, 1, 3))
    await asyncio.gather(*(manager.ask(job) for job in range(10, 210)))
    assert few == await step((300, 2, 10)) == (3, 7)


async def test_those_who_ask_at_the_same_moment_share_a_transaction(manager: Managing) -> None:
    await manager.ready(1, 2)
    with statements(manager) as together:
        await asyncio.gather(*(manager.ask(job) for job in range(10, 60)))
    first_alone, shared = 3, 3
    assert len(together) <= first_alone + shared
    assert await why(manager, *range(10, 60)) == {PLACES}


async def test_each_of_those_who_come_together_gets_its_own_answer(manager: Managing) -> None:
    (held,) = await manager.ready(1)
    asks = [manager.ask(1), manager.ask(2, "bob"), manager.ask(2, "bob"), manager.ask(3, "bob"), manager.ask(4, "bob")]
    grants = await asyncio.gather(*asks)
    assert [grant.job_id for grant in grants] == [1, 2, 2, 3, 4]
    assert grants[0].engine_id == held and grants[1] == grants[2] and grants[4].why == PLACES
    assert len({grant.engine_id for grant in grants if grant.engine_id}) == 3


async def test_what_is_asked_for_and_given_back_in_the_same_moment_is_free(manager: Managing) -> None:
    await asyncio.gather(manager.ask(9, "bob"), manager.ask(1), manager.give(1))
    assert await manager.states(1) == ["RELEASED"]
    assert [engine.holder for engine in await manager.engines() if engine.tenant.user == "alice"] == [None]


async def test_a_place_that_is_spoiled_and_given_back_at_once_is_spoiled(manager: Managing) -> None:
    (engine,) = await manager.ready(1)
    async with manager.db.write() as tx:
        await manager.requests.release(tx, [Release(JobRef(1, 1), False), Release(JobRef(1, 1), True)])
    await manager.settle()
    assert manager.node.terminated == [engine]


async def test_a_long_queue_holds_up_no_tenant_and_is_served_in_order(tmp_path: Path) -> None:
    async with managing(tmp_path, SETTINGS, cores=2) as manager:
        await manager.ready(1, 2)
        for job in range(100, 160):
            await manager.ask(job)
        for job, user in ((3, "bob"), (4, "carol"), (5, "bob"), (6, "carol")):
            manager.clock.turn(1)
            await manager.ask(job, user)
        order: list[tuple[str, int]] = []
        while len(order) < 12:
            held = [engine for engine in await manager.engines() if engine.holder is not None]
            assert len(held) <= 2
            for engine in held:
                assert engine.holder is not None
                order.append((engine.tenant.user, engine.holder.job_id))
                await manager.give(engine.holder.job_id, spoiled=True)
                await manager.settle()
        users = [user for user, _ in order[2:10]]
        assert users == ["bob", "alice", "carol", "alice", "bob", "alice", "carol", "alice"]
        for user in ("alice", "bob", "carol"):
            mine = [job for who, job in order if who == user]
            assert mine == sorted(mine)


async def test_a_kind_that_finds_no_room_does_not_hold_up_another(tmp_path: Path) -> None:
    async with managing(tmp_path, Settings(tenant_engines=9, tenant_running_jobs=9), cores=2.35) as manager:
        await manager.ready(1, 2)
        for job in range(10, 40):
            assert "no node has room" in (await manager.ask(job, "bob")).why
        for job in (50, 51, 52, 53):
            await manager.ask(job, "bob", kind="shell")
        assert await manager.states(50, 51, 52, 53) == ["GRANTED", "GRANTED", "GRANTED", "WAITING"]
        await manager.settle()
        await manager.give(50)
        assert await manager.states(53, 10) == ["READY", "WAITING"]


async def test_whoever_waits_is_told_anew_when_it_waits_for_something_else(manager: Managing) -> None:
    await manager.nodes.lost(silent_ms=-1)
    jobs = range(1, 31)
    for job in jobs:
        await manager.ask(job)
    assert await why(manager, *jobs) == {"no node is alive; is an ECM running?"}
    async with aclosing(manager.door.WatchRequests(pb.WatchRequestsRequest(instance="i"), None)) as stream:
        assert len((await anext(stream)).requests) == 30
        await manager.report()
        assert await manager.states(1, 2) == ["GRANTED", "GRANTED"]
        assert await why(manager, *jobs[2:]) == {PLACES}
        assert {grant.job_id for grant in (await anext(stream)).requests} == set(jobs)
        await manager.settle()
        assert {grant.job_id for grant in (await anext(stream)).requests} == {1, 2}


async def test_a_stream_reads_what_has_changed_and_nothing_else(manager: Managing) -> None:
    engine, _ = await manager.ready(1, 2)
    for job in range(10, 110):
        await manager.ask(job)
    async with aclosing(manager.door.WatchRequests(pb.WatchRequestsRequest(instance="i"), None)) as stream:
        assert len((await anext(stream)).requests) == 102
        read: list[int] = []
        standing = manager.door._standing

        async def noting(instance: str, jobs: object) -> dict[JobRef, pb.EngineGrant]:
            found = await standing(instance, jobs)  # type: ignore[arg-type]
            read.append(len(found))
            return found

        manager.door._standing = noting  # type: ignore[method-assign]
        await manager.give(1)
        assert [(grant.job_id, grant.engine_id) for grant in (await anext(stream)).requests] == [(10, engine)]
        await manager.report(**{engine: ENDED})
        news = [grant for grant in (await anext(stream)).requests if grant.state == pb.EngineGrant.LOST]
        assert [grant.job_id for grant in news] == [10]
        assert read[0] == 1


async def test_one_that_is_granted_from_far_back_in_the_queue_gets_what_it_asked_for(manager: Managing) -> None:
    await manager.ready(1, 2)
    for job in range(10, 80):
        await manager.ask(job)
    await asyncio.gather(manager.give(1), manager.give(2), *(manager.give(job) for job in range(10, 78)))
    assert await manager.states(78, 79) == ["READY", "READY"]
    async with manager.db.read() as tx:
        assert await store_requests.queues(tx) == []
