"""Engines whose work goes on without their connection: the next one takes it up, whoever died."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from protocol import codes
from protocol.ecm.v1 import ecm_pb2 as pb
from services.ecm.engines import MOST_LIVES
from services.engineconn.runner import ADOPTED
from tests.support.node import READY, Node, until

pytestmark = pytest.mark.asyncio

ALL = [f"count {number}" for number in range(1, 61)] + ["done"]


@pytest_asyncio.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    node = Node.on(tmp_path)
    node.create("e1", "lasting")
    await until(lambda: node.report("e1").state == READY)
    yield node
    await node.engines.end_all()


def connection(node: Node) -> psutil.Process:
    """The Python process of the engine connection, below the shell that watches it."""
    shim = psutil.Process(node.engines._engines["e1"].entry.pid)
    return next(child for child in shim.children() if "services.engineconn" in child.cmdline())


def counted(node: Node) -> list[str]:
    lines = node.engines.tasks.folder(1, 1).read_log(0, 1000)
    return [text for line in lines if (text := line.split(" ", 3)[3]).startswith(("count", "done"))]


async def test_a_connection_that_dies_is_followed_by_one_that_goes_on(node: Node) -> None:
    await node.run("60")
    await node.said(" count 5")
    os.kill(connection(node).pid, signal.SIGKILL)
    events = await node.events()
    assert events[-1].ended.status == "Succeed" and counted(node) == ALL
    assert [event.HasField("statement_started") for event in events].count(True) == 1
    log = node.engines.tasks.folder(1, 1).read_log(0, 1000)
    assert [line.endswith(f"WARN {ADOPTED}") for line in log].count(True) == 1
    assert not list(node.home.glob("node/engines/e1/tasks/*/task")), "what it was asked to do is not kept longer"
    await node.run("3", job=2)
    assert (await node.events(job=2))[-1].ended.status == "Succeed", "the engine takes the next task"


async def test_it_dies_while_no_daemon_watches(node: Node) -> None:
    await node.run("60")
    await node.said(" count 5")
    victim = connection(node)
    for engine in node.engines._engines.values():
        assert engine.life is not None
        engine.life.cancel()
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait(10)
    later = node.restarted()
    assert (await later.events())[-1].ended.status == "Succeed" and counted(later) == ALL
    await later.engines.end_all()


async def test_a_task_that_did_not_go_on_fails_with_the_reason(node: Node) -> None:
    await node.run("100000")
    await node.said(" count 5")
    counter = int((node.home / "node/engines/e1/work/pid").read_text())
    os.kill(connection(node).pid, signal.SIGSTOP)
    os.kill(counter, signal.SIGKILL)
    os.kill(connection(node).pid, signal.SIGKILL)
    ended = (await node.events())[-1].ended
    assert (ended.status, ended.code) == ("Failed", codes.ENGINE_LOST) and "nobody counts" in ended.message


async def test_a_task_that_was_adopted_can_be_cancelled(node: Node) -> None:
    await node.run("100000")
    await node.said(" count 5")
    os.kill(connection(node).pid, signal.SIGKILL)
    await node.said(f" {ADOPTED}")
    await until(lambda: node.report("e1").state == READY)
    await node.engines.tasks.cancel(pb.CancelTaskRequest(job_id=1, attempt=1, epoch=1))
    assert (await node.events())[-1].ended.status == "Cancelled"


async def test_it_is_not_taken_up_for_ever(node: Node) -> None:
    await node.run("100000")
    await node.said(" count 1")
    for life in range(1, MOST_LIVES + 1):
        await until(lambda life=life: node.engines._engines["e1"].entry.lives == life)
        await until(lambda: node.report("e1").state == READY)
        os.kill(connection(node).pid, signal.SIGKILL)
    ended = (await node.events())[-1].ended
    assert (ended.status, ended.code) == ("Failed", codes.ENGINE_LOST)
    assert "killed" in await node.ended() or "137" in await node.ended()
    counter = int((node.home / "node/engines/e1/work/pid").read_text())
    await until(lambda: not psutil.pid_exists(counter) or psutil.Process(counter).status() == psutil.STATUS_ZOMBIE)


async def test_an_idle_engine_is_not_taken_up(node: Node) -> None:
    os.kill(connection(node).pid, signal.SIGKILL)
    assert "137" in await node.ended()
