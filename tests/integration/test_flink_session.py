"""A Flink in processes of its own: SQL as on one in a single JVM, and task managers that die while a job runs."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from protocol import codes
from services.engineconn.engine import Outcome, StatementEnded, TaskEnded
from services.engineconn.flink import engine
from tests.support.engines import outcomes, processes, rows
from tests.support.flink import SMALL, Opened, jar, opened

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

BATCH = "SET 'execution.runtime-mode' = 'batch';"


@pytest.fixture(scope="module", autouse=True)
def let_go() -> Iterator[None]:
    yield
    gc.collect()  # while the filter above holds


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def flink(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Opened]:
    async with opened(tmp_path_factory.mktemp("flink"), "2.3.0", SMALL) as flink:
        yield flink


@pytest.fixture(scope="module")
def count(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return jar(tmp_path_factory.mktemp("jar"), "2.3.0")


def job_manager(flink: Opened) -> psutil.Process:
    return next(one for one in processes(flink.folder) if "SessionClusterEntrypoint" in " ".join(one.cmdline()))


def task_managers(flink: Opened) -> list[psutil.Process]:
    return [process for process in processes(flink.folder) if "TaskManagerRunner" in " ".join(process.cmdline())]


async def test_sql_gives_what_it_gives_on_a_mini_one(flink: Opened) -> None:
    code = f"""{BATCH} CREATE TABLE t (a INT, b STRING) WITH ('connector'='filesystem','path'='t','format'='csv');
    INSERT INTO t VALUES (1, 'x'), (2, 'y'), (3, 'x'); SELECT b, COUNT(*) AS n FROM t GROUP BY b; SHOW JOBS"""
    code = code.replace("'path'='t'", f"'path'='{flink.spec.workspace}/t'")
    events = await flink.run(flink.task(code))
    assert outcomes(events) == [Outcome.SUCCEED] * 6, events[-1]
    assert sorted((row["b"], row["n"]) for row in rows(events) if "b" in row) == [("x", 2), ("y", 1)]
    ended = [event.metrics for event in events if isinstance(event, StatementEnded)]
    assert ended[2] == {"rows_written": 3} and ended[3] == {"rows": 2}
    assert {row["status"] for row in rows(events) if "status" in row} == {"FINISHED"}


async def test_a_job_reaches_no_file_outside_of_its_workspace(flink: Opened) -> None:
    table = "CREATE TABLE t (a INT) WITH ('connector'='filesystem','path'='{}','format'='csv');"
    inside = flink.spec.workspace / "link"
    inside.unlink(missing_ok=True)
    inside.symlink_to("/etc")
    for path in ("/etc", str(inside)):
        last = (await flink.run(flink.task(f"{BATCH} {table.format(path)} SELECT * FROM t")))[-1]
        assert isinstance(last, TaskEnded) and "lies outside of your workspace" in last.message


async def test_a_task_manager_that_dies_is_replaced_and_the_job_goes_on(flink: Opened) -> None:
    code = """SET 'restart-strategy.type' = 'fixed-delay'; SET 'restart-strategy.fixed-delay.attempts' = '100';
    CREATE TABLE g (id INT) WITH ('connector'='datagen', 'rows-per-second'='5');
    CREATE TABLE p (id INT) WITH ('connector'='print');
    INSERT INTO p SELECT * FROM g"""
    async with flink.at(flink.task(code)) as at:
        await at.said("+I[")
        (process,) = task_managers(flink)
        os.kill(process.pid, signal.SIGKILL)
        await at.said("task manager 1 ended with code -9")
        seen = len(at.log)
        await at.until(lambda: any("+I[" in line for line in at.log[seen:]), "rows come again")
        assert at.working is not None and not at.working.done()
        (again,) = task_managers(flink)
        assert again.pid != process.pid


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_job_manager_that_is_lost_comes_back_and_the_job_goes_on(
    flink: Opened, count: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "SILENT_SECONDS", 3.0)
    task = flink.jar_task(count, "delay=10", configuration={"execution.checkpointing.interval": "200ms"})
    async with flink.at(task) as at:
        await at.said("counted 60 with")
        process = job_manager(flink)
        os.kill(process.pid, number)
        await at.said("the job manager ended with code -9")
        await at.said("goes on from file:")
        seen = len(at.log)
        await at.until(lambda: any("counted" in line for line in at.log[seen:]), "it counts again")
        counted = [int(line.split()[1]) for line in at.log[seen:] if line.startswith("counted ")]
        assert counted[0] > 20 and job_manager(flink).pid != process.pid


async def test_a_lost_job_without_a_checkpoint_fails_with_the_reason(flink: Opened, count: Path) -> None:
    async with flink.at(flink.jar_task(count, "delay=10")) as at:
        await at.said("counted")
        os.kill(job_manager(flink).pid, signal.SIGKILL)
        assert at.working is not None
        last = (await at.working)[-1]
    assert isinstance(last, TaskEnded) and last.code == codes.ENGINE_LOST
    assert last.message == "Flink's job manager ended while the job ran, and the job has no checkpoint to go on from"


async def test_a_lost_sql_job_fails_with_the_reason_and_the_next_one_runs(flink: Opened) -> None:
    code = "CREATE TABLE g (id INT) WITH ('connector'='datagen', 'rows-per-second'='5'); SELECT * FROM g"
    async with flink.at(flink.task(code)) as at:
        await at.until(lambda: bool(rows(at.events)), "rows come")
        os.kill(job_manager(flink).pid, signal.SIGKILL)
        assert at.working is not None
        last = (await at.working)[-1]
    assert isinstance(last, TaskEnded) and last.code == codes.ENGINE_LOST
    assert "the job manager ended with code -9" in last.message
    assert outcomes(await flink.run(flink.task(f"{BATCH} SELECT 1 AS a")))[-1] is Outcome.SUCCEED
