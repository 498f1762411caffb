"""What the manager puts right by itself, by a clock turned by hand: idle engines, silent nodes, starts, old holds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from commons.process.errors import Conflict, NotFound, Unavailable
from commons.process.settings import Settings
from protocol import codes
from protocol.manager.v1 import manager_pb2 as pb
from protocol.values import JobRef, Labels, Resource, Tenant
from services.manager import store, store_requests
from tests.support.managing import ENDED, GIB, READY, STARTING, Managing, managing

SETTINGS = Settings(engine_idle_seconds=60, engine_start_seconds=120, lease_seconds=15)
SILENT = 2 * 15


@pytest.fixture
async def manager(tmp_path: Path) -> AsyncIterator[Managing]:
    async with managing(tmp_path, SETTINGS) as manager:
        yield manager


async def test_an_engine_stops_once_it_has_been_idle_for_as_long_as_the_settings_say(manager: Managing) -> None:
    idle, held = await manager.ready(1, 2)
    manager.clock.turn(50)
    await manager.give(1)
    manager.clock.turn(59.9)
    await manager.settle()
    await manager.reconcile.round()
    await manager.settle()
    assert manager.node.terminated == []
    manager.clock.turn(0.1)
    await manager.reconcile.round()
    assert (await manager.ask(3)).state == pb.EngineGrant.WAITING, "nobody gets it any more"
    await manager.settle()
    assert manager.node.terminated == [idle] and (await manager.grant(2)).engine_id == held


async def test_a_silent_node_is_lost_with_its_engines(manager: Managing) -> None:
    (engine,) = await manager.ready(1)
    await manager.ask(2)
    manager.clock.turn(SILENT)
    await manager.reconcile.round()
    assert ((await manager.metrics()).status, await manager.states(1, 2)) == ("Alive", ["READY", "GRANTED"])
    manager.clock.turn(0.001)
    await manager.reconcile.round()
    assert ((await manager.metrics()).status, await manager.states(1, 2)) == ("Lost", ["LOST", "LOST"])
    lost = await manager.grant(1)
    assert (lost.engine_id, lost.why) == (engine, "its node n1 is silent")
    assert (await manager.ask(3)).why == "no node is alive; is an ECM running?"
    assert await manager.engines() == []


async def test_a_manager_that_has_just_started_has_not_heard_for_long_enough_to_judge(manager: Managing) -> None:
    await manager.ready(1)
    manager.clock.turn(3600)
    manager.restart()
    for seconds in (0, SILENT):
        manager.clock.turn(seconds)
        await manager.reconcile.round()
        assert await manager.states(1) == ["READY"]
    manager.clock.turn(0.001)
    await manager.reconcile.round()
    assert await manager.states(1) == ["LOST"]


async def test_who_could_not_use_the_database_has_not_heard_either(manager: Managing) -> None:
    await manager.ready(1)
    manager.clock.turn(3600)
    manager.db.failures += 1  # a disk was full for an hour, and no heartbeat could be written
    for seconds in (0, SILENT):
        manager.clock.turn(seconds)
        await manager.reconcile.round()
        assert await manager.states(1) == ["READY"]
    manager.clock.turn(0.001)
    await manager.reconcile.round()
    assert await manager.states(1) == ["LOST"]


async def test_only_the_silent_node_is_lost(manager: Managing) -> None:
    await manager.ready(1)
    manager.clock.turn(SILENT + 1)
    await manager.report("n2")
    await manager.reconcile.round()
    assert [(await manager.metrics(node)).status for node in ("n1", "n2")] == ["Lost", "Alive"]
    assert (await manager.ask(2)).node == "n2"


async def test_a_node_that_comes_back_is_alive_and_stops_what_was_given_up(manager: Managing) -> None:
    (engine,) = await manager.ready(1)
    manager.clock.turn(SILENT + 1)
    await manager.reconcile.round()
    reply = await manager.report(**{engine: READY})
    assert (list(reply.stop), (await manager.metrics()).status) == ([engine], "Alive")
    assert await manager.states(1) == ["LOST"]
    assert (await manager.ask(1, attempt=2)).state == pb.EngineGrant.GRANTED


async def test_a_node_is_told_to_stop_what_nobody_wants_and_may_forget_what_has_ended(manager: Managing) -> None:
    engine, spoiled = await manager.ready(1, 2)
    await manager.give(2, spoiled=True)
    reply = await manager.report(**{engine: ENDED, spoiled: READY, "stranger": READY, "gone": ENDED})
    assert (sorted(reply.stop), sorted(reply.forget)) == (sorted([spoiled, "stranger"]), sorted([engine, "gone"]))
    assert ((await manager.grant(1)).state, (await manager.grant(1)).why) == (pb.EngineGrant.LOST, "as n1 says")


async def test_how_far_a_start_is_can_be_told_until_it_is_ready(manager: Managing) -> None:
    engine = (await manager.ask(1)).engine_id
    await manager.report(**{engine: STARTING})
    assert ((await manager.grant(1)).state, (await manager.grant(1)).why) == (pb.EngineGrant.GRANTED, "as n1 says")
    for state in (READY, STARTING):
        await manager.report(**{engine: state})
        assert await manager.states(1) == ["READY"]


async def test_an_engine_that_its_node_no_longer_knows_has_ended(manager: Managing) -> None:
    await manager.ready(1)
    manager.clock.turn(11)
    await manager.report("n2")
    assert await manager.states(1) == ["READY"], "another node has nothing to say of it"
    await manager.report()
    assert (await manager.grant(1)).why == "its node no longer knows of it"
    assert await manager.states(1) == ["LOST"]


async def test_a_start_that_its_node_no_longer_knows_of_is_asked_for_again(manager: Managing) -> None:
    engine = (await manager.ask(1)).engine_id
    await manager.starting.round()
    manager.clock.turn(11)
    await manager.report()
    assert ((await manager.grant(1)).state, (await manager.grant(1)).why) == (
        pb.EngineGrant.GRANTED,
        "its start was interrupted",
    )
    await manager.settle()
    assert [asked.engine_id for asked in manager.node.created] == [engine, engine]
    assert await manager.states(1) == ["READY"]


async def test_a_node_hears_which_of_its_jobs_have_ended(manager: Managing) -> None:
    manager.history.ended = {1, 3}
    report = pb.NodeReport(node="n1", incarnation="x", ecm_address="unix:n1", jobs=[1, 2])
    assert list((await manager.nodes.report(report)).ended_jobs) == [1]


@pytest.mark.parametrize("unreachable_seconds", [0, 20])
async def test_an_engine_accepted_just_now_may_miss_in_a_report_already_on_its_way(
    manager: Managing, unreachable_seconds: int
) -> None:
    await manager.ask(1)
    manager.clock.turn(unreachable_seconds)
    await manager.starting.round()
    await manager.report()
    assert await manager.states(1) == ["GRANTED"]


async def test_holds_whose_job_has_ended_are_given_back(manager: Managing) -> None:
    spoiled, _ = await manager.ready(1, 2)
    await manager.ask(3)
    await manager.ask(4)
    manager.history.ended = {1, 3}
    manager.clock.turn(10)
    await manager.reconcile.round()
    assert await manager.states(1, 2, 3, 4) == ["READY", "READY", "WAITING", "WAITING"], "entrances have time for it"
    manager.clock.turn(0.001)
    await manager.reconcile.round()
    assert await manager.states(1, 2, 3, 4) == ["RELEASED", "READY", "RELEASED", "WAITING"]
    await manager.settle()
    assert manager.node.terminated == [spoiled], "nobody saw the end of what ran there"
    assert await manager.states(4) == ["GRANTED"]


async def test_a_node_is_asked_once_for_an_engine(manager: Managing) -> None:
    granted = await manager.ask(1, "bob", "app", version="2")
    for _ in range(3):
        await manager.starting.round()
    (asked,) = manager.node.created
    assert (asked.engine_id, Tenant.of(asked.tenant)) == (granted.engine_id, Tenant("bob", "app"))
    assert Labels.of(asked.labels) == Labels.make({"kind": "flink", "version": "2"})
    assert Resource.of(asked.resource) == Resource(1.0, GIB, 1)


async def test_a_restarted_manager_does_not_ask_again(manager: Managing) -> None:
    await manager.ask(1)
    await manager.starting.round()
    manager.restart()
    await manager.starting.round()
    assert len(manager.node.created) == 1


async def test_an_engine_given_back_before_its_node_was_asked_never_starts(manager: Managing) -> None:
    await manager.ask(1)
    await manager.give(1, spoiled=True)
    await manager.starting.round()
    assert manager.node.created == manager.node.terminated == [] and await manager.engines() == []


async def test_what_is_not_wanted_is_terminated_until_it_is_gone(manager: Managing) -> None:
    (engine,) = await manager.ready(1)
    await manager.give(1, spoiled=True)
    await manager.starting.round()
    await manager.starting.round()
    assert manager.node.terminated == [engine, engine]
    await manager.report(**{engine: ENDED})
    await manager.starting.round()
    assert manager.node.terminated == [engine, engine]


async def test_an_engine_that_is_not_ready_in_time_is_given_up(manager: Managing) -> None:
    engine = (await manager.ask(1)).engine_id
    await manager.starting.round()
    manager.clock.turn(120)
    await manager.report(**{engine: STARTING})
    await manager.starting.round()
    assert await manager.states(1) == ["GRANTED"]
    manager.clock.turn(0.001)
    await manager.starting.round()
    why = "not ready after 120 s (HEADGATE_ENGINE_START_SECONDS); last: as n1 says"
    assert ((await manager.grant(1)).state, (await manager.grant(1)).why) == (pb.EngineGrant.LOST, why)
    assert manager.node.terminated == [engine]


async def test_a_start_is_not_too_slow_while_there_was_no_manager(manager: Managing) -> None:
    await manager.ask(1)
    await manager.starting.round()
    manager.clock.turn(3600)
    manager.restart()
    manager.clock.turn(120)
    await manager.starting.round()
    assert await manager.states(1) == ["GRANTED"]
    manager.clock.turn(0.001)
    await manager.starting.round()
    assert await manager.states(1) == ["LOST"]


async def test_a_node_that_does_not_answer_is_asked_again(manager: Managing) -> None:
    await manager.ask(1)
    manager.node.fault = Unavailable(codes.UNREACHABLE, "nobody listens")
    await manager.starting.round()
    assert ((await manager.grant(1)).state, (await manager.grant(1)).why) == (pb.EngineGrant.GRANTED, "nobody listens")
    manager.node.fault = None
    await manager.settle()
    assert await manager.states(1) == ["READY"] and len(manager.node.created) == 1


async def test_an_engine_that_its_node_never_accepts_is_given_up_too(manager: Managing) -> None:
    await manager.ask(1)
    manager.node.fault = Unavailable(codes.UNREACHABLE, "nobody listens")
    await manager.starting.round()
    manager.clock.turn(120.001)
    await manager.report()
    await manager.starting.round()
    assert await manager.states(1) == ["LOST"]


async def test_an_engine_that_its_node_refuses_has_ended(manager: Managing) -> None:
    await manager.ask(1)
    manager.node.fault = Conflict(codes.ENGINE_GONE, "it was terminated before")
    await manager.starting.round()
    assert ((await manager.grant(1)).state, (await manager.grant(1)).why) == (
        pb.EngineGrant.LOST,
        "it was terminated before",
    )


async def test_a_lost_node_is_asked_for_nothing(manager: Managing) -> None:
    await manager.ask(1)
    await manager.nodes.lost(silent_ms=-1)
    await manager.starting.round()
    assert manager.node.created == []


async def test_an_instance_hears_of_all_its_requests_and_then_of_changes_only(manager: Managing) -> None:
    for job, instance in ((1, "i"), (2, "i"), (3, "other")):
        await manager.ask(job, instance=instance)
    async with aclosing(manager.door.WatchRequests(pb.WatchRequestsRequest(instance="i"), None)) as stream:

        async def heard() -> list[tuple[int, str]]:
            news = await anext(stream)
            return [(grant.job_id, pb.EngineGrant.State.Name(grant.state)) for grant in news.requests]

        assert await heard() == [(1, "GRANTED"), (2, "GRANTED")]
        await manager.settle()
        assert await heard() == [(1, "READY"), (2, "READY")]
        manager.news.wake()  # nothing has changed
        await manager.ask(4, "bob", instance="other")
        first, second = [(await manager.grant(job)).engine_id for job in (1, 2)]
        await manager.report(**{first: READY, second: ENDED})
        assert await heard() == [(2, "LOST")]
        await manager.give(1)
        await manager.ask(5, instance="i")
        assert await heard() == [(5, "READY")]


async def test_an_instance_without_requests_hears_so_at_once(manager: Managing) -> None:
    async with aclosing(manager.door.WatchRequests(pb.WatchRequestsRequest(instance="i"), None)) as stream:
        assert await anext(stream) == pb.RequestNews()


async def test_a_request_goes_with_its_job_to_the_instance_that_took_it_over(manager: Managing) -> None:
    held = await manager.ask(1, instance="gone")
    assert (await manager.ask(1, instance="heir")).engine_id == held.engine_id
    async with aclosing(manager.door.WatchRequests(pb.WatchRequestsRequest(instance="heir"), None)) as stream:
        assert [grant.job_id for grant in (await anext(stream)).requests] == [1]


async def test_the_door_tells_of_engines_and_nodes(manager: Managing) -> None:
    (engine,) = await manager.ready(1)
    told = await manager.door.GetEngineStatus(pb.EngineStatusRequest(engine_id=engine), None)
    assert (told.status, told.node, told.job_id, Tenant.of(told.tenant)) == ("Ready", "n1", 1, Tenant("alice", "IDE"))
    metrics = await manager.metrics()
    assert (metrics.capacity.cores, metrics.capacity.memory) == (8, 8 * GIB)
    assert metrics.heartbeat_at_ms == manager.clock.now_ms()
    await manager.give(1)
    assert (await manager.door.GetEngineStatus(pb.EngineStatusRequest(engine_id=engine), None)).job_id == 0
    with pytest.raises(NotFound):
        await manager.door.GetEngineStatus(pb.EngineStatusRequest(engine_id="nope"), None)
    with pytest.raises(NotFound):
        await manager.metrics("nope")


async def test_rows_that_nobody_needs_any_more_go(manager: Managing) -> None:
    (engine,) = await manager.ready(1)
    await manager.give(1)
    await manager.report(**{engine: ENDED})
    status = pb.EngineStatusRequest(engine_id=engine)
    manager.clock.turn(3600.001)
    await manager.reconcile.round()
    async with manager.db.read() as tx:
        assert await store_requests.request(tx, JobRef(1, 1)) is None
    assert (await manager.door.GetEngineStatus(status, None)).why == "as n1 says"
    manager.clock.turn(23 * 3600)
    await manager.reconcile.round()
    with pytest.raises(NotFound):
        await manager.door.GetEngineStatus(status, None)


async def test_a_node_lost_for_a_day_is_forgotten(manager: Managing) -> None:
    await manager.report("n2")
    for seconds in (SILENT + 1, 86_400 - SILENT - 2, 2):
        manager.clock.turn(seconds)
        await manager.report()
        await manager.reconcile.round()
        async with manager.db.read() as tx:
            names = {node.name for node in await store.nodes(tx)}
        assert names == ({"n1", "n2"} if seconds != 2 else {"n1"})
