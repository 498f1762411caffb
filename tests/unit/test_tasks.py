"""What is told of a task whose engine has ended: that it never began, or the last word."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf.json_format import MessageToJson

from commons.process.errors import Conflict
from commons.storage import Storage
from protocol import codes, layout
from protocol.engineconn.v1 import engineconn_pb2 as pb
from services.ecm.tasks import TaskFolder

WHY = "its process ended with exit code 137"


@pytest.fixture
def folder(tmp_path: Path) -> TaskFolder:
    return TaskFolder(tmp_path / "1-1", Storage(f"file://{tmp_path}/storage"), "job", lambda: WHY)


async def test_a_task_that_never_began_says_so_and_nothing_else(folder: TaskFolder) -> None:
    with pytest.raises(Conflict) as caught:
        await anext(folder.watch(0))
    assert caught.value.code == codes.ENGINE_GONE
    assert str(caught.value) == f"it ended before it began with the task: {WHY}"


async def test_a_task_that_began_fails_with_its_engine(folder: TaskFolder) -> None:
    folder.folder.mkdir()
    began = pb.TaskEvent(number=1, at_ms=1, log_up_to=pb.LogUpTo(lines=0))
    (folder.folder / layout.EVENTS).write_text(
        MessageToJson(began, indent=None, preserving_proto_field_name=True) + "\n"
    )
    (folder.folder / layout.LOG).touch()
    events = [event async for batch in folder.watch(0) for event in batch]
    assert events[-1].ended.message == f"the engine ended while the job ran: {WHY}"
    assert events[-1].ended.code == codes.ENGINE_LOST
