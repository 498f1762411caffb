"""Requests for engines on a real SQLite file: who gets one, who waits and why, where it goes when it is given back."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from commons.process.settings import Settings
from protocol.manager.v1 import manager_pb2 as pb
from protocol.values import JobRef, Resource
from services.manager.requests import Release
from tests.support.managing import ENDED, GIB, Managing, managing


@pytest.fixture
async def manager(tmp_path: Path) -> AsyncIterator[Managing]:
    async with managing(tmp_path) as manager:
        yield manager


async def test_a_request_without_an_engine_starts_one(manager: Managing) -> None:
    granted = await manager.ask(1, version="2")
    assert (granted.job_id, granted.attempt, granted.state) == (1, 1, pb.EngineGrant.GRANTED)
    assert (granted.node, granted.ecm_address, granted.why) == ("n1", "unix:n1", "waits for its node")
    await manager.settle()
    ready = await manager.grant(1)
    assert (ready.state, ready.engine_id, ready.why) == (pb.EngineGrant.READY, granted.engine_id, "")
    (engine,) = await manager.engines()
    assert (engine.holder, engine.labels.version, engine.resource.memory) == (JobRef(1, 1), "2", GIB)


async def test_an_engine_takes_what_its_labels_say(manager: Managing) -> None:
    await manager.ask(1, deployment="session", cores="2.5", memory=str(3 * GIB))
    (engine,) = await manager.engines()
    assert engine.resource == Resource(2.5, 3 * GIB, 1)


async def test_a_tenants_third_job_waits_by_default_and_is_told_why(manager: Managing) -> None:
    for job in (1, 2, 3):
        await manager.ask(job)
    assert await manager.states(1, 2, 3) == ["GRANTED", "GRANTED", "WAITING"]
    assert (await manager.grant(3)).why == "2 of this tenant's jobs are running and its limit is 2"
    assert len(await manager.engines()) == 2


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ("HEADGATE_TENANT_RUNNING_JOBS", "1 of this tenant's jobs are running and its limit is 1"),
        ("HEADGATE_TENANT_ENGINES", "this tenant has 1 engines and its limit is 1"),
    ],
)
async def test_the_settings_limit_a_tenant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, why: str
) -> None:
    monkeypatch.setenv(setting, "1")
    async with managing(tmp_path) as manager:
        await manager.ask(1)
        waiting = await manager.ask(2)
    assert (waiting.state, waiting.engine_id, waiting.why) == (pb.EngineGrant.WAITING, "", why)


@pytest.mark.parametrize(("user", "creator"), [("bob", "IDE"), ("alice", "app")])
async def test_a_tenant_at_its_limit_holds_up_no_other(manager: Managing, user: str, creator: str) -> None:
    for job in (1, 2, 3):
        await manager.ask(job)
    assert (await manager.ask(4, user, creator)).state == pb.EngineGrant.GRANTED
    assert await manager.states(3) == ["WAITING"]


async def test_the_oldest_is_next_whatever_its_number(manager: Managing) -> None:
    await manager.ready(1, 2)
    for job in (9, 4):
        manager.clock.turn(1)
        await manager.ask(job)
    await manager.give(1)
    assert await manager.states(9, 4) == ["READY", "WAITING"]
    await manager.give(2)
    assert await manager.states(4) == ["READY"]


async def test_the_tenant_with_fewest_running_jobs_is_next(tmp_path: Path) -> None:
    async with managing(tmp_path, cores=2) as manager:
        await manager.ask(1)
        await manager.ask(2)
        for job, user in ((3, "alice"), (4, "bob")):
            manager.clock.turn(1)
            await manager.ask(job, user)
        await manager.settle()
        await manager.give(1, spoiled=True)
        await manager.settle()
        assert await manager.states(3, 4) == ["WAITING", "GRANTED"]


async def test_an_idle_engine_of_the_tenant_with_equal_labels_is_taken(manager: Managing) -> None:
    (first,) = await manager.ready(1)
    await manager.give(1)
    taken = await manager.ask(2)
    assert (taken.state, taken.engine_id) == (pb.EngineGrant.READY, first)
    assert (await manager.ask(3)).engine_id != first


@pytest.mark.parametrize(("user", "creator"), [("bob", "IDE"), ("alice", "app")])
async def test_another_tenants_idle_engine_is_never_taken(manager: Managing, user: str, creator: str) -> None:
    (first,) = await manager.ready(1)
    await manager.give(1)
    fresh = await manager.ask(2, user, creator)
    assert (fresh.state, fresh.engine_id != first) == (pb.EngineGrant.GRANTED, True)


async def test_idle_engines_of_other_labels_make_room_one_at_a_time(manager: Managing) -> None:
    idle = set(await manager.ready(1, 2))
    await manager.give(1)
    await manager.give(2)
    other = await manager.ask(3, version="2")
    assert (other.state, other.why) == (pb.EngineGrant.WAITING, "this tenant has 2 engines and its limit is 2")
    assert (await manager.ask(4, version="2")).state == pb.EngineGrant.WAITING
    (left,) = [engine for engine in await manager.engines() if engine.wanted_alive]
    await manager.settle()
    granted = await manager.grant(3)
    assert (granted.state, granted.engine_id in idle) == (pb.EngineGrant.GRANTED, False)
    await manager.settle()
    assert await manager.states(3, 4) == ["READY", "GRANTED"]
    assert left.engine_id in manager.node.terminated


async def test_an_engine_that_still_starts_is_taken_once_it_is_ready(manager: Managing) -> None:
    first = await manager.ask(1)
    await manager.ask(2)
    await manager.give(1)
    assert (await manager.ask(3)).state == pb.EngineGrant.WAITING
    await manager.settle()
    assert (await manager.grant(3)).engine_id == first.engine_id


async def test_repeating_a_request_returns_the_same_grant(manager: Managing) -> None:
    first, *again = await asyncio.gather(*(manager.ask(1) for _ in range(5)))
    assert again == [first] * 4 and len(await manager.engines()) == 1
    assert (await manager.ask(1, attempt=2)).engine_id != first.engine_id


async def test_an_attempt_never_gets_a_second_engine(manager: Managing) -> None:
    (lost,) = await manager.ready(1)
    await manager.report(**{lost: ENDED})
    again = await manager.ask(1)
    assert (again.state, again.engine_id, again.why) == (pb.EngineGrant.LOST, lost, "as n1 says")
    await manager.give(1)
    assert (await manager.ask(1)).state == pb.EngineGrant.RELEASED
    assert await manager.engines() == []


async def test_what_is_given_back_goes_to_the_next_in_the_same_transaction(manager: Managing) -> None:
    engine, _ = await manager.ready(1, 2)
    await manager.ask(3)
    with pytest.raises(InterruptedError):
        async with manager.db.write() as tx:
            await manager.requests.release(tx, [Release(JobRef(1, 1), spoiled=False)])
            assert (await manager.grant_in(tx, 3)).engine_id == engine
            raise InterruptedError
    assert await manager.states(1, 3) == ["READY", "WAITING"]
    await manager.give(1)
    assert await manager.states(1, 3) == ["RELEASED", "READY"]


async def test_a_spoiled_engine_stops_and_nobody_gets_it(manager: Managing) -> None:
    spoiled, _ = await manager.ready(1, 2)
    await manager.ask(3)
    await manager.give(1, spoiled=True)
    assert (await manager.grant(3)).why == "this tenant has 2 engines and its limit is 2"
    await manager.settle()
    assert manager.node.terminated == [spoiled]
    granted = await manager.grant(3)
    assert (granted.state, granted.engine_id != spoiled) == (pb.EngineGrant.GRANTED, True)


@pytest.mark.parametrize("spoiled", [False, True])
async def test_giving_back_twice_takes_nothing_from_the_next(manager: Managing, spoiled: bool) -> None:
    (engine,) = await manager.ready(1)
    await manager.give(1)
    await manager.ask(2)
    await manager.give(1, spoiled=spoiled)
    await manager.give(99, spoiled=spoiled)
    (held,) = await manager.engines()
    assert (held.engine_id, held.holder, held.wanted_alive) == (engine, JobRef(2, 1), True)


async def test_who_withdraws_is_passed_over(manager: Managing) -> None:
    await manager.ready(1, 2)
    for job in (3, 4):
        manager.clock.turn(1)
        await manager.ask(job)
    await manager.give(3)
    await manager.give(1)
    await manager.give(2)
    assert await manager.states(3, 4) == ["RELEASED", "READY"]
    assert sorted(engine.holder is None for engine in await manager.engines()) == [False, True]


async def test_without_a_node_a_request_waits_for_one(manager: Managing) -> None:
    await manager.nodes.lost(silent_ms=-1)
    waiting = await manager.ask(1)
    assert (waiting.state, waiting.why) == (pb.EngineGrant.WAITING, "no node is alive; is an ECM running?")
    await manager.report()
    assert await manager.states(1) == ["GRANTED"]


async def test_on_a_full_node_the_engine_idle_for_longest_makes_room_whosever_it_is(tmp_path: Path) -> None:
    async with managing(tmp_path, cores=2) as manager:
        await manager.ask(1, "alice")
        bobs = (await manager.ask(2, "bob")).engine_id
        await manager.settle()
        for job in (2, 1):
            manager.clock.turn(1)
            await manager.give(job)
        waiting = await manager.ask(3, "carol")
        assert waiting.why == "no node has room for 1 cores and 1024 MiB; 1 alive, all in use"
        await manager.settle()
        assert manager.node.terminated == [bobs] and await manager.states(3) == ["GRANTED"]


async def test_on_a_full_node_nobody_who_works_is_disturbed(tmp_path: Path) -> None:
    async with managing(tmp_path, cores=2) as manager:
        await manager.ready(1, 2)
        assert (await manager.ask(3, "carol")).state == pb.EngineGrant.WAITING
        await manager.settle()
        assert manager.node.terminated == [] and await manager.states(1, 2) == ["READY", "READY"]


async def test_what_is_used_is_what_living_engines_hold(manager: Managing) -> None:
    async def used() -> tuple[float, int, int]:
        living, told = await manager.engines(), (await manager.metrics()).used
        sums = sum(e.resource.cores for e in living), sum(e.resource.memory for e in living), len(living)
        assert (told.cores, told.memory, told.instances) == sums
        return sums

    assert await used() == (0, 0, 0)
    await manager.ask(1)
    await manager.ask(2, "bob", version="2")
    assert await used() == (2, 2 * GIB, 2)
    await manager.settle()
    await manager.ask(3, kind="shell")
    assert await used() == (2.1, 2 * GIB + 128 * 2**20, 3)
    await manager.give(1)
    assert (await used())[2] == 3, "an idle engine keeps its place"
    await manager.give(2, spoiled=True)
    assert (await used())[2] == 3, "so does one that is still stopping"
    await manager.settle()
    assert await used() == (1.1, GIB + 128 * 2**20, 2)


async def test_limits_and_capacity_hold_however_many_ask_at_once(tmp_path: Path) -> None:
    async with managing(tmp_path, Settings(tenant_engines=2, tenant_running_jobs=2), cores=5) as manager:
        users = ("alice", "bob", "carol")
        grants = await asyncio.gather(*(manager.ask(job, users[job % 3]) for job in range(1, 31)))
        assert len(await manager.engines()) == 5
        turns = 0
        while held := [engine for engine in await manager.engines() if engine.holder is not None]:
            assert len({engine.holder for engine in held}) == len(held) <= 5
            assert max(Counter(engine.tenant for engine in await manager.engines()).values()) <= 2
            await manager.settle()
            await asyncio.gather(*(manager.give(engine.holder.job_id) for engine in held if engine.holder))
            turns += 1
        assert await manager.states(*(grant.job_id for grant in grants)) == ["RELEASED"] * 30
        assert turns < 30


async def test_engines_are_counted_by_what_became_of_them(manager: Managing) -> None:
    async def counts(**wanted: object) -> tuple[int, int, int, int]:
        told = await manager.door.CountEngines(pb.EngineCountQuery(**wanted), None)  # type: ignore[arg-type]
        return told.total, told.stopped, told.failed, told.stopping

    await manager.ask(1)
    await manager.ask(2, user="bob")
    await manager.ready(1, 2)
    assert await counts() == (2, 0, 0, 0) and await counts(user="bob") == (1, 0, 0, 0)
    assert await counts(created_to_ms=1) == (0, 0, 0, 0) and await counts(user="bob", creator="x") == (0, 0, 0, 0)
    await manager.give(1, spoiled=True)
    assert await counts() == (2, 0, 0, 1)
    (first,) = [engine.engine_id for engine in await manager.engines() if engine.tenant.user == "alice"]
    (second,) = [engine.engine_id for engine in await manager.engines() if engine.tenant.user == "bob"]
    await manager.report(**{first: ENDED, second: ENDED})
    assert await counts() == (2, 1, 1, 0)
