"""Whose turn, what fits, where: the manager's pure modules."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from protocol.states.engine import EngineStatus
from protocol.values import JobRef, Labels, Resource, Tenant
from services.manager.placement import make_room, place
from services.manager.quotas import Limits, Usage, engine_breaks, job_breaks
from services.manager.rows import Engine, Node, Queue
from services.manager.sharing import next_turn

FLINK = Labels.make({"kind": "flink", "version": "1"})
GIB = 2**30


def queue(user: str, at: int, job: int = 1) -> Queue:
    return Queue(Tenant(user, "IDE"), FLINK, (at, job), frozenset())


def test_the_oldest_is_next() -> None:
    assert next_turn([queue("a", 9), queue("b", 5, 7), queue("c", 5, 8)], {}).tenant.user == "b"


def test_a_tenant_with_less_running_comes_first() -> None:
    queues = [queue("a", 1), queue("b", 3)]
    running = Counter({Tenant("a", "IDE"): 1})
    order = []
    for _ in range(4):
        order.append(next_turn(queues, running).tenant)
        running[order[-1]] += 1
    assert "".join(tenant.user for tenant in order) == "baba"


def test_limits_name_themselves() -> None:
    limits = Limits(engines=2, running_jobs=1)
    assert job_breaks(Usage(0, 0), limits) is None
    assert "limit is 1" in (job_breaks(Usage(1, 1), limits) or "")
    assert "limit is 2" in (engine_breaks(Usage(2, 0), limits) or "")


def engine(name: str, node: str, memory: int, idle_since: int | None = None) -> Engine:
    holder = None if idle_since is not None else JobRef(1, 1)
    return Engine(
        name, node, Tenant("b", "IDE"), FLINK, Resource(1, memory * GIB, 1), EngineStatus.READY, True, 0, holder, "",
        0, idle_since,
    )  # fmt: skip


def node(name: str, cores: float = 4, memory: int = 8) -> Node:
    return Node(name, "", Resource(cores, memory * GIB, 9), True, 0)


def test_the_node_with_most_free_memory_is_taken() -> None:
    placed = place(Resource(1, GIB, 1), [node("a"), node("b")], [engine("e", "a", 1)])
    assert isinstance(placed, Node) and placed.name == "b"


def test_without_room_it_says_why() -> None:
    assert "no node has room for 2 cores" in str(place(Resource(2, GIB, 1), [node("a", cores=1)], []))
    assert "no node is alive" in str(place(Resource(1, 1, 1), [], []))


def test_engines_idle_for_longest_make_room_and_no_more_than_needed() -> None:
    living = [engine("busy", "a", 2), engine("old", "a", 2, 10), engine("new", "a", 2, 20), engine("older", "b", 1, 5)]
    nodes = [node("a", memory=6), node("b", memory=1)]
    assert [e.engine_id for e in make_room(Resource(1, 2 * GIB, 1), nodes, living)] == ["old"]
    assert [e.engine_id for e in make_room(Resource(1, 4 * GIB, 1), nodes, living)] == ["old", "new"]
    assert make_room(Resource(1, 5 * GIB, 1), nodes, living) == ()


def test_nobody_else_stops_while_one_is_stopping_already() -> None:
    stopping = replace(engine("going", "a", 2, 10), wanted_alive=False)
    assert make_room(Resource(1, 2 * GIB, 1), [node("a", memory=4)], [stopping, engine("idle", "a", 2, 1)]) == ()
