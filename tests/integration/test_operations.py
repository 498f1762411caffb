"""What an engine can do with its running task, the files a task uses, and what one goes on from."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from commons.process.errors import Conflict, Invalid
from protocol import codes
from protocol.ecm.v1 import ecm_pb2 as pb
from protocol.engineconn.v1 import engineconn_pb2
from tests.support.node import Node

pytestmark = pytest.mark.asyncio

CONTENT = b"what is in the jar"


@pytest_asyncio.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    node = Node.on(tmp_path)
    await node.ready()
    yield node
    await node.engines.end_all()


def artifact(node: Node, content: bytes = CONTENT) -> pb.Artifact:
    (node.home / "storage").mkdir(exist_ok=True)
    (node.home / "storage" / "my.jar").write_bytes(content)
    return pb.Artifact(name="me/my-jar@v1", location="my.jar", sha256=hashlib.sha256(CONTENT).hexdigest(), size=18)


async def run(node: Node, code: str, *artifacts: pb.Artifact, resume: str = "") -> None:
    task = engineconn_pb2.Task(job_id=1, attempt=1, code=code, run_type="any", resume=resume)
    await node.engines.tasks.run(
        pb.RunTaskRequest(engine_id="e1", epoch=1, task=task, location="jobs/1", artifacts=artifacts)
    )


async def operate(node: Node, operation: str) -> str:
    request = engineconn_pb2.OperateRequest(job_id=1, attempt=1, operation=operation)
    return (await node.engines.tasks.operate(request)).result["path"]


async def test_a_savepoint_is_an_event_and_the_task_goes_on(node: Node) -> None:
    await run(node, "log INFO begun\nsleep 600")
    await node.said(" begun")
    path = await operate(node, "savepoint")
    assert Path(path).is_relative_to(node.home / "node" / "state" / "alice")
    await node.engines.tasks.cancel(pb.CancelTaskRequest(job_id=1, attempt=1, epoch=1))
    events = await node.events()
    kept = [event.savepoint for event in events if event.HasField("savepoint")]
    assert kept == [engineconn_pb2.Savepoint(kind="savepoint", path=path)]
    assert events[-1].ended.status == "Cancelled"


async def test_a_suspended_task_succeeds_and_another_goes_on_from_it(node: Node) -> None:
    await run(node, "log INFO begun\nsleep 600")
    await node.said(" begun")
    path = await operate(node, "suspend")
    assert (await node.events())[-1].ended.status == "Succeed"
    with pytest.raises(Conflict) as refused:
        await operate(node, "suspend")
    assert refused.value.code == codes.TASK_CLOSED
    await node.engines.tasks.ack(pb.AckTaskRequest(job_id=1, attempt=1, epoch=1))
    task = engineconn_pb2.Task(job_id=2, attempt=1, code="rows 1", run_type="any", resume=path)
    await node.engines.tasks.run(pb.RunTaskRequest(engine_id="e1", epoch=1, task=task, location="jobs/2"))
    await node.said(" goes on from state of job 1", job=2)


async def test_an_operation_that_the_engine_lacks(node: Node) -> None:
    await run(node, "log INFO begun\nsleep 600")
    await node.said(" begun")
    with pytest.raises(Invalid) as refused:
        await operate(node, "explode")
    assert refused.value.code == codes.OPERATION_UNKNOWN


async def test_a_savepoint_is_dropped_and_nothing_else_is(node: Node) -> None:
    await run(node, "log INFO begun\nsleep 600")
    await node.said(" begun")
    path = await operate(node, "savepoint")
    outside = node.home / "storage"
    for other in (str(outside), f"{path}/../../../..", str(node.home / "node" / "state" / "alice"), ""):
        with pytest.raises(Invalid):
            node.engines.drop_savepoint(other)
    node.engines.drop_savepoint(f"file:{path}")
    assert not Path(path).exists()
    node.engines.drop_savepoint(path)


async def test_a_task_finds_its_artifacts_and_they_stay_while_it_runs(node: Node) -> None:
    await run(node, "rows 1", artifact(node))
    await node.said(f" artifact me/my-jar@v1: {CONTENT.decode()}")
    await node.events()
    kept = list((node.home / "node" / "artifacts").iterdir())
    assert [path.name for path in kept] == [hashlib.sha256(CONTENT).hexdigest()]
    assert kept[0].stat().st_nlink == 2, "the task has a link of its own"
    await node.engines.tasks.ack(pb.AckTaskRequest(job_id=1, attempt=1, epoch=1))
    assert kept[0].stat().st_nlink == 1


@pytest.mark.parametrize("what", ["other", "gone"])
async def test_an_artifact_that_cannot_be_used(node: Node, what: str) -> None:
    bad = artifact(node, b"something else")
    if what == "gone":
        (node.home / "storage" / "my.jar").unlink()
    with pytest.raises(Conflict) as refused:
        await run(node, "rows 1", bad)
    assert refused.value.code == codes.ARTIFACT_UNUSABLE and "me/my-jar@v1" in refused.value.message
    assert not list((node.home / "node" / "artifacts").iterdir())
    await run(node, "rows 1", artifact(node))  # nothing of the first try is in the way
    assert (await node.events())[-1].ended.status == "Succeed"
