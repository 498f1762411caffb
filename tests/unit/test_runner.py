"""One task from its first event to `Ended`, whatever the engine does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from google.protobuf.json_format import Parse

from protocol import codes, layout
from protocol.engineconn.v1 import engineconn_pb2 as pb
from services.engineconn import runner as runners
from services.engineconn.engine import (
    Event,
    LogLine,
    Outcome,
    Progress,
    ResultOpened,
    Rows,
    StatementEnded,
    StatementStarted,
    Task,
    TaskEnded,
)
from services.engineconn.rpc import EngineConnServicer
from services.engineconn.runner import Runner

SCHEMA = pa.schema([("id", pa.int64())])
ROW = pa.record_batch([pa.array([1], pa.int64())], schema=SCHEMA)
DONE = TaskEnded(Outcome.SUCCEED)

Step = Event | Exception | Callable[[], Awaitable[object]]


class Scripted:
    """Goes through its steps: an event is said, an exception raised, anything else awaited. Dies when told to."""

    def __init__(self, *steps: Step) -> None:
        self.steps = steps
        self.runs = 0
        self.death: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def run(self, task: Task) -> AsyncIterator[Event]:
        self.runs += 1
        for step in self.steps:
            if isinstance(step, Exception):
                raise step
            if callable(step):
                await step()
            else:
                yield step

    async def died(self) -> str:
        return await asyncio.shield(self.death)


async def ran(engine: Any, folder: Path, story: list[str] | None = None) -> list[pb.TaskEvent]:
    await asyncio.wait_for(Runner(engine, Task(1, 1, "code", "any"), folder, story or []).run(), 10)
    return events(folder)


def events(folder: Path) -> list[pb.TaskEvent]:
    """What was written; checked for what always holds."""
    found = [Parse(line, pb.TaskEvent()) for line in (folder / layout.EVENTS).read_text().splitlines()]
    kinds = [event.WhichOneof("what") for event in found]
    assert [event.number for event in found] == list(range(1, len(found) + 1))
    assert kinds.count("ended") == 1 and kinds[-1] == "ended"
    log = (folder / layout.LOG).read_text().splitlines()
    assert [event.log_up_to.lines for event in found if event.HasField("log_up_to")][-1] == len(log)
    return found


def log(folder: Path) -> list[str]:
    return [line.split(" ", 2)[2] for line in (folder / layout.LOG).read_text().splitlines()]


async def forever() -> None:
    await asyncio.Event().wait()


async def test_events_come_in_the_engines_order_and_ended_is_last(tmp_path: Path) -> None:
    steps = [
        StatementStarted(0, 2, "SELECT 1", "id-0"), ResultOpened(0, SCHEMA), Rows(ROW), ResultOpened(0, SCHEMA),
        Progress(0.5), StatementEnded(0, Outcome.SUCCEED, {"read": 7}),
        StatementStarted(1, 2, "SELECT 2"), ResultOpened(1, SCHEMA), StatementEnded(1, Outcome.SUCCEED), DONE,
    ]  # fmt: skip
    found = await ran(Scripted(*steps), tmp_path)
    kinds = [event.WhichOneof("what") for event in found if not event.HasField("log_up_to")]
    assert kinds == [
        "statement_started", "result_set", "result_set", "progress", "statement_ended",
        "statement_started", "result_set", "statement_ended", "ended",
    ]  # fmt: skip
    sets = [event.result_set for event in found if event.HasField("result_set")]
    assert [(told.statement, told.result_set) for told in sets] == [(0, 0), (0, 1), (1, 2)]
    first, second = [event.statement_ended for event in found if event.HasField("statement_ended")]
    assert (first.result_sets, dict(first.metrics), second.result_sets) == (2, {"read": 7}, 1)
    assert (found[-1].ended.status, found[-1].ended.result_sets) == ("Succeed", 3)
    assert log(tmp_path)[-1] == "INFO Congratulations. Your job completed with status Success."


async def test_the_story_comes_before_the_engines_first_word(tmp_path: Path) -> None:
    story = ["2026-01-01 10:00:00.001 INFO submitted", "2026-01-01 10:00:01.002 INFO granted"]
    found = await ran(Scripted(LogLine("WARN", "careful"), DONE), tmp_path, story)
    assert (tmp_path / layout.LOG).read_text().splitlines()[:2] == story
    assert log(tmp_path)[2] == "WARN careful"
    assert found[0].log_up_to.lines == 2, "the story can be read before the engine says anything"


async def test_parts_are_whole_before_their_statement_has_ended(tmp_path: Path) -> None:
    async def look() -> None:
        assert (tmp_path / layout.RESULTS / "0" / layout.part_name(0)).is_file()

    steps = [StatementStarted(0, 1, "x"), ResultOpened(0, SCHEMA), Rows(ROW), StatementEnded(0, Outcome.SUCCEED)]
    assert (await ran(Scripted(*steps, look, DONE), tmp_path))[-1].ended.status == "Succeed"


async def test_the_same_progress_is_written_once(tmp_path: Path) -> None:
    found = await ran(Scripted(Progress(0.1), Progress(0.1), Progress(0.2), Progress(0.2), DONE), tmp_path)
    assert [event.progress.fraction for event in found if event.HasField("progress")] == [0.1, 0.2]


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.CANCELLED])
async def test_why_it_did_not_succeed_is_in_ended_and_in_the_log(tmp_path: Path, outcome: Outcome) -> None:
    found = await ran(Scripted(TaskEnded(outcome, 4711, "no such table")), tmp_path)
    ended = found[-1].ended
    assert (ended.status, ended.code, ended.message) == (outcome.value, 4711, "no such table")
    assert log(tmp_path)[-2] == "ERROR no such table" and outcome.value in log(tmp_path)[-1]


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ([Progress(0.1), RuntimeError("two\nlines")], "RuntimeError: two lines"),
        ([TimeoutError()], "TimeoutError"),
        ([Rows(ROW), DONE], "before their result set"),
        ([ResultOpened(0, pa.schema([("other", pa.string())])), Rows(ROW), DONE], "schema"),
        ([Progress(0.1)], "without saying how it ended"),
        ([], "without saying how it ended"),
    ],
)
async def test_an_engine_that_misbehaves_fails_the_task(tmp_path: Path, steps: list[Step], reason: str) -> None:
    ended = (await ran(Scripted(*steps), tmp_path))[-1].ended
    assert (ended.status, ended.code) == ("Failed", codes.INTERNAL)
    assert reason in ended.message and "\n" not in ended.message


async def test_an_engine_that_dies_fails_the_task_with_its_last_words(tmp_path: Path) -> None:
    engine = Scripted(LogLine("INFO", "before"), forever)
    asyncio.get_running_loop().call_later(0.05, engine.death.set_result, "out of memory")
    ended = (await ran(engine, tmp_path))[-1].ended
    assert (ended.status, ended.code, ended.message) == (
        "Failed", codes.ENGINE_LOST, "the engine died: out of memory",
    )  # fmt: skip
    assert log(tmp_path)[0] == "INFO before"


async def test_what_an_engine_says_while_it_dies_still_counts(tmp_path: Path) -> None:
    async def die() -> None:
        engine.death.set_result("gone")
        await asyncio.sleep(0.1)

    engine = Scripted(die, LogLine("ERROR", "disk full"), TaskEnded(Outcome.FAILED, 4711, "disk full"))
    assert (await ran(engine, tmp_path))[-1].ended.message == "disk full"


async def test_an_engine_that_does_not_let_go_keeps_the_end_back_only_briefly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stubborn() -> None:
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue

    monkeypatch.setattr(runners, "LET_GO_SECONDS", 0.1)
    let_go = asyncio.Event()
    engine = Scripted(stubborn)
    engine.death.set_result("gone")
    try:
        assert (await ran(engine, tmp_path))[-1].ended.message == "the engine died: gone"
    finally:
        let_go.set()


async def test_slow_lines_are_told_while_the_engine_is_silent(tmp_path: Path) -> None:
    folder, go_on = tmp_path, asyncio.Event()
    engine = Scripted(LogLine("INFO", "one"), LogLine("INFO", "two"), go_on.wait, DONE)
    running = asyncio.create_task(ran(engine, folder))
    async with asyncio.timeout(5):
        while not (folder / layout.EVENTS).exists() or '"lines": "2"' not in (folder / layout.EVENTS).read_text():
            await asyncio.sleep(0.02)
    go_on.set()
    await running


async def test_a_task_is_run_once_however_often_it_is_asked_for(tmp_path: Path) -> None:
    engine = Scripted(forever)
    servicer = EngineConnServicer(engine, tmp_path, lambda: None)  # type: ignore[arg-type]
    task: Any = pb.Task(job_id=1, attempt=1, code="x")
    context: Any = None
    # two at once: the second must not find "another" task running
    await asyncio.gather(servicer.RunTask(task, context), servicer.RunTask(task, context))
    await asyncio.sleep(0)
    with pytest.raises(Exception, match="another task"):
        await servicer.RunTask(pb.Task(job_id=2, attempt=1, code="x"), context)
    engine.death.set_result("gone")
    assert servicer.running is not None
    await asyncio.wait_for(servicer.running, 10)
    await servicer.RunTask(task, context)
    await asyncio.sleep(0)
    assert engine.runs == 1
