"""Where the lines of a log are read while its job goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from commons.process.errors import NotFound
from commons.storage import Storage
from protocol import codes
from protocol.ecm.v1 import ecm_pb2
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from services.entrance.logs import Logs, rendered

WORDS = ("is accepted", "Scheduled", "Running", "Succeed")


class Node:
    """A node that knows the task's log, or no longer, or not yet."""

    def __init__(self, *lines: str) -> None:
        self.lines = lines

    async def ReadTaskLog(self, request: ecm_pb2.ReadTaskLogRequest) -> ecm_pb2.LogLines:
        if not self.lines:
            raise NotFound(codes.TASK_UNKNOWN, "task 1-1 is not on this node")
        return ecm_pb2.LogLines(lines=self.lines[request.from_line :][: request.max_lines])


class History:
    def __init__(self, words: int) -> None:
        self.lines = [pb.StoryLine(at_ms=1000, to="Running", why=word) for word in WORDS[:words]]

    async def GetStory(self, request: pb.GetStoryRequest) -> pb.Story:
        return pb.Story(lines=self.lines)


def logs(folder: Path, node: Node, words: int, *published: str) -> tuple[Logs, pb.Job]:
    storage = Storage(f"file://{folder}")
    if published:
        storage.write("job/1/log", "".join(f"{line}\n" for line in published).encode())
    job = pb.Job(job_id=1, status="Running", log_path=storage.address("job/1/log"), live=pb.LiveJob(attempt=1))
    return Logs(History(words), storage, lambda _: node), job  # type: ignore[arg-type]


@pytest.mark.parametrize("from_line", [0, 2, 3, 5])
async def test_a_task_that_is_over_since_its_job_was_looked_at_has_its_own_lines(
    tmp_path: Path, from_line: int
) -> None:
    whole = ["is accepted", "Scheduled", "Running", "line 1", "line 2", "Success"]
    reading, job = logs(tmp_path, Node(), 4, *whole)
    assert await reading.read(job, from_line, 2) == whole[from_line : from_line + 2], "and not the story's last words"


async def test_a_running_task_is_read_on_its_node(tmp_path: Path) -> None:
    reading, job = logs(tmp_path, Node("a", "b", "c"), 2)
    assert await reading.read(job, 1, 1) == ["b"]


async def test_a_task_that_is_not_handed_over_yet_has_the_story(tmp_path: Path) -> None:
    reading, job = logs(tmp_path, Node(), 2)
    assert await reading.read(job, 1, 5) == rendered(History(2).lines)[1:]


@pytest.mark.parametrize(("status", "expected"), [("Inited", 0), ("Scheduled", 0), ("Running", 0), ("Succeed", 5)])
async def test_the_end_in_a_story_is_no_line_of_a_job_that_was_seen_before_it(
    tmp_path: Path, status: str, expected: int
) -> None:
    """A short job ends between the look at it and the look at its story: its log has other lines there."""
    reading, job = logs(tmp_path, Node(), 4)
    job.status = status
    history = reading._jobhistory
    history.lines[-1].to = "Succeed"  # type: ignore[attr-defined]
    assert len(await reading.read(job, 0, 10)) == expected
