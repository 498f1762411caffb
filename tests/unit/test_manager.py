"""Whose turn, what fits, where: the manager's pure modules."""

from __future__ import annotations

from protocol.values import JobRef, Labels, Resource, Tenant
from services.manager.placement import place
from services.manager.quotas import Limits, Usage, engine_breaks, job_breaks
from services.manager.rows import WAITING, Node, Request
from services.manager.sharing import turns

FLINK = Labels.make({"kind": "flink", "version": "1"})
GIB = 2**30


def request(job: int, user: str, at: int) -> Request:
    return Request(JobRef(job, 1), "i", Tenant(user, "IDE"), FLINK, WAITING, "", "", at, at)


def test_oldest_first_within_a_tenant() -> None:
    assert [r.job.job_id for r in turns([request(2, "a", 5), request(1, "a", 9)], {})] == [2, 1]


def test_a_tenant_with_less_running_comes_first() -> None:
    waiting = [request(1, "a", 1), request(2, "a", 2), request(3, "b", 3)]
    assert [r.job.job_id for r in turns(waiting, {Tenant("a", "IDE"): 1})] == [3, 1, 2]


def test_limits_name_themselves() -> None:
    limits = Limits(engines=2, running_jobs=1)
    assert job_breaks(Usage(0, 0), limits) is None
    assert "limit is 1" in (job_breaks(Usage(1, 1), limits) or "")
    assert "limit is 2" in (engine_breaks(Usage(2, 0), limits) or "")


def test_the_node_with_most_free_memory_is_taken() -> None:
    nodes = [Node(n, "", Resource(4, 8 * GIB, 9), True, 0) for n in ("a", "b")]
    placed = place(Resource(1, GIB, 1), nodes, {"a": Resource(1, GIB, 1)})
    assert isinstance(placed, Node) and placed.name == "b"


def test_without_room_it_says_why() -> None:
    node = Node("a", "", Resource(1, GIB, 9), True, 0)
    assert "no node has room for 2 cores" in str(place(Resource(2, GIB, 1), [node], {}))
    assert "no node is alive" in str(place(Resource(1, 1, 1), [], {}))
