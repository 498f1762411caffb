"""Packaged jobs on real Flinks of both forms: what runs, what is planned, and what cannot be."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from commons.process.errors import Conflict, Invalid
from protocol import codes
from protocol.flink.deployment import Deployment
from services.engineconn.engine import (
    Event,
    LogLine,
    Outcome,
    Progress,
    Savepoint,
    SavepointKind,
    StatementEnded,
    StatementStarted,
    TaskEnded,
)
from tests.support.engines import outcomes, rows
from tests.support.flink import SMALL, Opened, jar, opened

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

MAIN = "headgate.tests.CountJob"
FORMS = {"mini": ("2.3.0", Deployment()), "session": ("1.20.5", SMALL)}


@dataclass(frozen=True)
class Flink:
    """A Flink, and the job compiled for it."""

    opened: Opened
    jar: Path


@pytest.fixture(scope="module", autouse=True)
def let_go() -> Iterator[None]:
    yield
    gc.collect()  # while the filter above holds


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=FORMS)
async def flink(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Flink]:
    version, deployment = FORMS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    file = jar(folder, version, main_class=MAIN)
    async with opened(folder / "flink", version, deployment) as flink:
        yield Flink(flink, file)


def last(events: list[Event]) -> TaskEnded:
    assert isinstance(events[-1], TaskEnded)
    return events[-1]


def log(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, LogLine)]


async def test_a_job_runs_to_its_end_and_tells_what_it_did(flink: Flink) -> None:
    for _ in range(2):  # the jar is uploaded once
        task = flink.opened.jar_task(flink.jar, "to=40", "delay=20", entryClass=None)
        events = await flink.opened.run(task)
        assert outcomes(events) == [Outcome.SUCCEED, Outcome.SUCCEED], last(events)
        assert any("counted 20 with remainder 0" in line for line in log(events)), "what user code prints"
        (started,) = (event for event in events if isinstance(event, StatementStarted))
        (ended,) = (event for event in events if isinstance(event, StatementEnded))
        assert len(started.engine_job_id) == 32
        assert (ended.metrics["records_sent"], ended.metrics["records_read"], ended.metrics["rows_written"]) == (
            40,
        ) * 3
        seen = [event for event in events if isinstance(event, Progress) and event.vertices]
        assert {vertex.total for event in seen for vertex in event.vertices} == {1}
        assert len(list((flink.opened.folder / "work").rglob("*_job.jar"))) == 1


async def test_a_dry_run_gives_the_plan_and_runs_nothing(flink: Flink) -> None:
    events = await flink.opened.run(flink.opened.jar_task(flink.jar, "to=5", parallelism=2, dryRun=True))
    assert last(events).outcome is Outcome.SUCCEED
    plan = {str(row["step"]).split()[0]: row for row in rows(events)}
    assert {row["parallelism"] for row in plan.values()} == {2} and len(plan) == 2
    assert str(plan["Map"]["inputs"]).startswith(f"{plan['Source:']['id']} (HASH)")
    assert not any("counted" in line for line in log(events))


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["throws=no such database"], {}, "IllegalStateException: no such database"),
        (["nothing=1"], {}, "its main method ended without a job"),
        ([], {"entryClass": "no.Such"}, "there is no class no.Such in the jar"),
        (["to=50", "fail-at=9"], {}, "IllegalArgumentException: number 9 is not welcome"),
        ([], {"savepoint": "file:/nowhere/savepoint-1"}, "savepoint file:/nowhere/savepoint-1 lies outside of"),
        ([], {"configuration": {"rest.port": 1}}, "setting rest.port reaches beyond the job"),
    ],
)
async def test_a_job_that_fails_says_why(
    flink: Flink, arguments: list[str], code: dict[str, object], reason: str
) -> None:
    ended = last(await flink.opened.run(flink.opened.jar_task(flink.jar, *arguments, **code)))
    assert ended.outcome is Outcome.FAILED and reason in ended.message
    assert (await flink.opened.engine._rest.overview())["jobs-running"] == 0  # type: ignore[union-attr]


async def test_a_wrong_savepoint_leaves_no_failed_job(flink: Flink) -> None:
    rest = flink.opened.engine._rest
    assert rest is not None
    before = await rest.overview()
    await flink.opened.run(flink.opened.jar_task(flink.jar, resume="file:/nowhere/savepoint-1"))
    assert (await rest.overview())["jobs-failed"] == before["jobs-failed"]


async def test_what_is_no_jar_or_not_there_is_refused(flink: Flink, tmp_path: Path) -> None:
    (tmp_path / "text.jar").write_text("no jar")
    ended = last(await flink.opened.run(flink.opened.jar_task(tmp_path / "text.jar")))
    assert (ended.code, "artifact count is no jar" in ended.message) == (codes.STATEMENT_INVALID, True)
    ended = last(await flink.opened.run(flink.opened.jar_task(tmp_path / "none.jar")))
    assert "artifact count is not there" in ended.message


async def test_too_few_slots_are_said_and_the_job_fails_in_time(flink: Flink) -> None:
    task = flink.opened.jar_task(flink.jar, parallelism=9, runtime={"flink.slots.wait.seconds": "4"})
    events = await flink.opened.run(task)
    ended = last(events)
    assert ended.outcome is Outcome.FAILED and ended.message.startswith("no slots came in 4 s: 18 tasks have none")
    assert "the job needs 9 at least" in ended.message and "flink.taskmanager.numberOfTaskSlots" in ended.message
    assert any(line.startswith("The job waits for slots: 18 tasks have none") for line in log(events))


async def test_an_endless_job_is_killed(flink: Flink) -> None:
    async with flink.opened.at(flink.opened.jar_task(flink.jar, "delay=10")) as at:
        await at.said("counted 3 with")
        await flink.opened.engine.cancel(at.task)
        assert at.working is not None
        events = await at.working
    assert outcomes(events) == [Outcome.CANCELLED, Outcome.CANCELLED] and last(events).code == codes.KILLED


CHECKPOINTS = {"execution.checkpointing.interval": "200ms"}


def states(events: list[Event]) -> list[tuple[SavepointKind, Path]]:
    kept = [(event.kind, Path(event.path.removeprefix("file:"))) for event in events if isinstance(event, Savepoint)]
    assert all((path / "_metadata").is_file() for _, path in kept)
    return kept


def highest(lines: list[str]) -> int:
    return max((int(line.split()[1]) for line in lines if line.startswith("counted ")), default=0)


async def test_a_job_is_saved_suspended_and_gone_on_from(flink: Flink) -> None:
    operate = flink.opened.engine.operate
    async with flink.opened.at(flink.opened.jar_task(flink.jar, "delay=5")) as at:
        await at.said("counted 5 with")
        saved = await operate(at.task, "savepoint", {})
        assert at.working is not None and not at.working.done()
        suspended = await operate(at.task, "suspend", {"format": "native"})
        events = await at.working
    assert outcomes(events) == [Outcome.SUCCEED, Outcome.SUCCEED]
    assert [(kind, f"file:{path}") for kind, path in states(events)] == [
        (SavepointKind.SAVEPOINT, saved["path"]), (SavepointKind.SUSPEND, suspended["path"]),
    ]  # fmt: skip
    assert all(path.is_relative_to(flink.opened.spec.state) for _, path in states(events))
    seen = highest(log(events))
    with pytest.raises(Conflict):
        await operate(at.task, "savepoint", {})
    async with flink.opened.at(flink.opened.jar_task(flink.jar, "delay=5", resume=suspended["path"])) as again:
        await again.said("counted")
        diagnosis = await operate(again.task, "diagnosis", {})
        assert diagnosis["restored_from"] == suspended["path"] and diagnosis["state"] == "RUNNING"
        counted = [int(line.split()[1]) for line in again.log if line.startswith("counted ")]
        assert seen - 1 <= counted[0] <= seen + 2, "it goes on where it was"


async def test_a_dry_run_tells_which_state_a_new_version_would_drop(flink: Flink) -> None:
    async with flink.opened.at(flink.opened.jar_task(flink.jar, "delay=5")) as at:
        await at.said("counted 5 with")
        path = (await flink.opened.engine.operate(at.task, "suspend", {}))["path"]
    same = await flink.opened.run(flink.opened.jar_task(flink.jar, savepoint=path, dryRun=True))
    assert any("Every state of the savepoint has its operator" in line for line in log(same)), last(same)
    other = await flink.opened.run(flink.opened.jar_task(flink.jar, "uid=recount", savepoint=path, dryRun=True))
    (dropped,) = (row for row in rows(other) if "operator" in row)
    assert any(f"no operator for the state of {dropped['operator']}" in line for line in log(other))
    refused = last(await flink.opened.run(flink.opened.jar_task(flink.jar, "uid=recount", savepoint=path)))
    assert refused.outcome is Outcome.FAILED and str(dropped["operator"]) in refused.message
    allowed = flink.opened.jar_task(flink.jar, "to=20", "uid=recount", savepoint=path, allowNonRestored=True)
    assert last(await flink.opened.run(allowed)).outcome is Outcome.SUCCEED


async def test_a_failed_job_tells_the_checkpoint_to_go_on_from(flink: Flink) -> None:
    task = flink.opened.jar_task(
        flink.jar, "delay=10", "fail-at=120", configuration=CHECKPOINTS,
        runtime={"flink.restart": "on-failure", "flink.restart.attempts": "1"},
    )  # fmt: skip
    events = await flink.opened.run(task)
    assert "number 120 is not welcome" in last(events).message
    assert any("The job begins again: IllegalArgumentException: number 120" in line for line in log(events))
    ((kind, path),) = states(events)
    assert kind is SavepointKind.CHECKPOINT
    (ended,) = (event for event in events if isinstance(event, StatementEnded))
    assert ended.metrics["checkpoints"] > 1 and ended.metrics["restarts"] == 1
    async with flink.opened.at(flink.opened.jar_task(flink.jar, "delay=10", resume=f"file:{path}")) as again:
        await again.said("counted")
        assert highest(again.log) > 5


async def test_operations_that_cannot_be(flink: Flink) -> None:
    async with flink.opened.at(flink.opened.jar_task(flink.jar, "delay=10")) as at:
        await at.said("counted")
        for operation, parameters in (("explode", {}), ("savepoint", {"format": "zip"})):
            with pytest.raises(Invalid):
                await flink.opened.engine.operate(at.task, operation, parameters)
        other = flink.opened.jar_task(flink.jar)
        with pytest.raises(Conflict):
            await flink.opened.engine.operate(other, "savepoint", {})


async def test_a_sql_job_is_suspended_and_gone_on_from(flink: Flink) -> None:
    code = """CREATE TABLE g (id INT) WITH ('connector'='datagen', 'fields.id.kind'='sequence', 'fields.id.start'='1',
        'fields.id.end'='100000', 'rows-per-second'='50');
    CREATE TABLE p (id INT) WITH ('connector'='print');
    INSERT INTO p SELECT * FROM g; INSERT INTO p VALUES (-7)"""
    async with flink.opened.at(flink.opened.task(code)) as at:
        await at.said("+I[9]")
        path = (await flink.opened.engine.operate(at.task, "suspend", {}))["path"]
        assert at.working is not None
        events = await at.working
    assert outcomes(events) == [Outcome.SUCCEED] * 4 and not any("+I[-7]" in line for line in log(events))
    async with flink.opened.at(flink.opened.task(code, resume=path)) as again:
        await again.said("+I[")
        first = next(line for line in again.log if line.startswith("+I["))
        assert int(first[3:-1]) > 9, "it goes on where it was"


async def test_sql_has_its_jars_on_its_own_class_path_alone(flink: Flink) -> None:
    code = """SET 'execution.runtime-mode' = 'batch';
    CREATE TEMPORARY FUNCTION shout AS 'headgate.tests.Shout'; SELECT shout(b) AS s FROM (VALUES ('x')) AS t(b)"""
    events = await flink.opened.run(flink.opened.task(code, artifacts={"functions": flink.jar}))
    assert rows(events) == [{"s": "X!"}], last(events)
    assert "headgate.tests.Shout" in last(await flink.opened.run(flink.opened.task(code))).message
