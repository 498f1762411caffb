"""The engine seam: what every engine keeps, real ones and the fake one that other tests build on."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from commons.process.errors import HeadgateError
from commons.process.settings import Settings
from services.engineconn.engine import (
    Engine,
    EngineSpec,
    Event,
    Outcome,
    ResultOpened,
    StatementStarted,
    Task,
    TaskEnded,
)
from tests.support.engines import collect, outcomes, processes, rows
from tests.support.kinds import KINDS, Kind

# py4j tells the JVM of every object that Python lets go, and drops a socket when the JVM is gone by then
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

SOON_SECONDS = 6.0
"""Three times what is promised for a cancel."""


@dataclass
class Opened:
    """An engine at work in `folder`, with the lines it said while it opened. Each task gets an id of its own."""

    kind: Kind
    engine: Engine
    folder: Path
    said: list[str]
    tasks: int = 0

    def task(self, code: str) -> Task:
        self.tasks += 1
        return Task(self.tasks, 1, code, "any")

    async def run(self, code: str) -> list[Event]:
        return await collect(self.engine, self.task(code))

    @asynccontextmanager
    async def running(self, code: str) -> AsyncIterator[tuple[Task, asyncio.Task[list[Event]]]]:
        """A task whose last statement has begun, and all its events once it ends."""
        task, begun = self.task(code), asyncio.Event()

        def look(event: Event) -> None:
            if isinstance(event, StatementStarted) and event.statement == event.statements - 1:
                begun.set()

        working = asyncio.create_task(collect(self.engine, task, look))
        try:
            await asyncio.wait_for(begun.wait(), 30)
            yield task, working
        finally:
            working.cancel()
            await asyncio.wait({working}, timeout=SOON_SECONDS)


def spec(kind: Kind, folder: Path, **settings: str) -> EngineSpec:
    return EngineSpec(
        engine_id="e1", kind=kind.name, version=kind.version, user="alice", creator="IDE", cores=1.0, memory=1 << 30,
        workspace=folder / "workspace", engines_home=Settings().engines_folder, state=folder / "state",
        settings=settings, labels=kind.labels,
    )  # fmt: skip


@asynccontextmanager
async def opened(kind: Kind, folder: Path) -> AsyncIterator[Opened]:
    (folder / "work").mkdir()
    said: list[str] = []
    engine = kind.create()
    try:
        await engine.open(spec(kind, folder), folder / "work", said.append)
        yield Opened(kind, engine, folder, said)
    finally:
        await engine.close()


@pytest.fixture(scope="module", autouse=True)
def let_go() -> Iterator[None]:
    yield
    gc.collect()  # while the filter above holds


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param  # type: ignore[no-any-return]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Opened]:
    async with opened(kind, tmp_path_factory.mktemp(kind.name)) as running:
        yield running


async def test_opening_tells_its_progress_in_lines(engine: Opened) -> None:
    assert bool(engine.said) == engine.kind.says
    assert all(line.strip() and "\n" not in line for line in engine.said)


async def test_a_task_gives_its_result_and_ends_once(engine: Opened) -> None:
    events = await engine.run(engine.kind.result)
    assert rows(events) == engine.kind.rows
    assert events[-1] == TaskEnded(Outcome.SUCCEED)
    assert set(outcomes(events)) == {Outcome.SUCCEED} and len(outcomes(events)) > 1


async def test_a_result_without_rows_is_opened_too(engine: Opened) -> None:
    events = await engine.run(engine.kind.empty)
    assert any(isinstance(event, ResultOpened) for event in events) and rows(events) == engine.kind.nothing


async def test_the_users_error_is_told_not_raised(engine: Opened) -> None:
    events = await engine.run(engine.kind.fails)
    last = events[-1]
    assert isinstance(last, TaskEnded) and last.code and engine.kind.reason in last.message
    assert outcomes(events)[-2:] == [Outcome.FAILED, Outcome.FAILED]


async def test_tasks_one_after_the_other_are_independent(engine: Opened) -> None:
    await engine.run(engine.kind.fails)
    first, again = await engine.run(engine.kind.result), await engine.run(engine.kind.result)
    assert rows(first) == rows(again) == engine.kind.rows
    assert outcomes(first) == outcomes(again)


@pytest.mark.parametrize("after_seconds", [0.0, 1.0])
async def test_a_running_task_is_cancelled_soon(engine: Opened, after_seconds: float) -> None:
    async with engine.running(engine.kind.endless) as (task, working):
        await asyncio.sleep(after_seconds)
        assert not working.done()
        async with asyncio.timeout(SOON_SECONDS):
            await engine.engine.cancel(task)
            assert outcomes(await working)[-2:] == [Outcome.CANCELLED, Outcome.CANCELLED]
    assert outcomes(await engine.run(engine.kind.result))[-1] is Outcome.SUCCEED


async def test_a_cancel_that_comes_first_still_counts(engine: Opened) -> None:
    task = engine.task(engine.kind.endless)
    await engine.engine.cancel(task)
    assert outcomes(await asyncio.wait_for(collect(engine.engine, task), SOON_SECONDS))[-1] is Outcome.CANCELLED


async def test_cancelling_another_task_is_harmless(engine: Opened) -> None:
    done = engine.task(engine.kind.result)
    await collect(engine.engine, done)
    await engine.engine.cancel(done)
    async with engine.running(engine.kind.endless) as (task, working):
        await engine.engine.cancel(done)
        await engine.engine.cancel(Task(4711, 1, "", "any"))
        await asyncio.wait({working}, timeout=0.5)
        assert not working.done()
        await engine.engine.cancel(task)
        assert outcomes(await asyncio.wait_for(working, SOON_SECONDS))[-1] is Outcome.CANCELLED


async def test_an_engine_at_rest_has_not_died(engine: Opened) -> None:
    await engine.run(engine.kind.result)
    dying = asyncio.ensure_future(engine.engine.died())
    await asyncio.wait({dying}, timeout=0.2)
    assert not dying.done()
    dying.cancel()


@pytest.mark.parametrize(
    ("kind", "which"),
    [pytest.param(kind, which, id=f"{kind.name}-{which}") for kind in KINDS for which in range(kind.processes)],
)
async def test_its_death_is_told_with_a_reason(kind: Kind, which: int, tmp_path: Path) -> None:
    async with opened(kind, tmp_path) as running:
        found = sorted(processes(tmp_path), key=lambda process: process.create_time())
        os.kill(found[which].pid, signal.SIGKILL)
        assert "-9" in await asyncio.wait_for(running.engine.died(), SOON_SECONDS)
        await running.engine.close()
    await _until(lambda: not processes(tmp_path))


async def test_closing_twice_leaves_no_process(kind: Kind, tmp_path: Path) -> None:
    async with opened(kind, tmp_path) as opening, opening.running(kind.endless):
        await _until(lambda: bool(processes(tmp_path)))
        await asyncio.wait_for(opening.engine.close(), SOON_SECONDS)
        await _until(lambda: not processes(tmp_path))
        await asyncio.wait_for(opening.engine.close(), SOON_SECONDS)


async def test_an_engine_that_was_never_opened_can_be_closed(kind: Kind) -> None:
    await kind.create().close()


async def test_a_failed_opening_says_why_and_leaves_nothing(kind: Kind, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    settings = kind.cannot_open(tmp_path)
    engine = kind.create()
    with pytest.raises(HeadgateError) as caught:
        await engine.open(spec(kind, tmp_path, **settings), tmp_path / "work", lambda line: None)
    assert caught.value.code and caught.value.message.strip() and "\n" not in caught.value.message
    await _until(lambda: not processes(tmp_path))
    await engine.close()


SHELL = next(kind for kind in KINDS if kind.name == "shell")


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("sleep 600 & touch begun", id="the shell is gone, a child holds its output"),
        pytest.param("sleep 600 >/dev/null 2>&1 & touch begun", id="the task is over, a child is left"),
        pytest.param("trap '' TERM; sleep 600 & touch begun; wait", id="nobody heeds SIGTERM"),
    ],
)
async def test_nothing_outlives_a_shell_task(tmp_path: Path, code: str) -> None:
    async with opened(SHELL, tmp_path) as opening, opening.running(code) as (task, working):
        await _until((tmp_path / "workspace" / "begun").exists)
        await asyncio.wait({working}, timeout=0.5)
        async with asyncio.timeout(SOON_SECONDS):
            await opening.engine.cancel(task)
            await working
        await _until(lambda: not processes(tmp_path))


async def test_a_shell_task_is_cancelled_though_a_daemon_holds_its_output(tmp_path: Path) -> None:
    async with opened(SHELL, tmp_path) as opening:
        async with opening.running("setsid sleep 60 & touch begun; sleep 600") as (task, working):
            await _until((tmp_path / "workspace" / "begun").exists)
            async with asyncio.timeout(SOON_SECONDS):
                await opening.engine.cancel(task)
                assert outcomes(await working)[-1] is Outcome.CANCELLED
        for process in processes(tmp_path):  # it left the task's group and session: the node's daemon looks for those
            process.kill()


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON_SECONDS):
        while not true():
            await asyncio.sleep(0.05)
