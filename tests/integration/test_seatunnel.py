"""Jobs on a real Zeta server: batch, files, fans, transforms, failures, kills, crashes, suspending and resuming."""

from __future__ import annotations

import asyncio
import shutil
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio

from commons.process.errors import Conflict, Invalid
from protocol import codes
from services.engineconn.engine import Outcome, Progress, SavepointKind, StatementStarted
from services.engineconn.seatunnel import job, rest, server
from tests.support.seatunnel import Zeta, opened, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

KILL_SECONDS = 6.0
"""Three times what is promised."""
SCHEMA = "schema { fields { id = bigint, name = string, age = int } }"
ROWS = """rows = [
  { kind = INSERT, fields = [1, "ada", 36] }, { kind = INSERT, fields = [2, "bob", 17] }
  { kind = INSERT, fields = [3, "cy", 64] }
]"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def zeta(tmp_path_factory: pytest.TempPathFactory, seatunnel_home: Path) -> AsyncIterator[Zeta]:
    async with opened(tmp_path_factory.mktemp("zeta")) as running:
        yield running


def fake(name: str, rows: int = 5, more: str = "") -> str:
    return f"FakeSource {{ result_table_name = {name}, row.num = {rows}, {more}\n {SCHEMA} }}\n"


def to_files(name: str, folder: str, more: str = "") -> str:
    return (
        f"LocalFile {{ source_table_name = {name}, path = {folder}, tmp_path = {folder}-tmp, "
        f"file_format_type = json, {more} }}\n"
    )


def batch(source: str, sink: str, transform: str = "", env: str = "") -> str:
    return (
        f"env {{ job.mode = BATCH, job.retry.times = 0, {env} }}\n"
        f"source {{\n{source}}}\ntransform {{\n{transform}}}\nsink {{\n{sink}}}\n"
    )


def stream(folder: str, rows: int, every_ms: int) -> str:
    """Five rows at a time into files, committed with each checkpoint."""
    fast = f"split.num = {rows // 5}, split.read-interval = {every_ms}"
    return batch(fake("s", rows, fast), to_files("s", folder), env="checkpoint.interval = 500").replace(
        "BATCH", "STREAMING"
    )


async def test_rows_go_from_a_source_to_a_sink_and_are_counted(zeta: Zeta) -> None:
    ran = await zeta.succeeds(batch(fake("t"), "Console { source_table_name = t }\n"))
    (started,) = ran.of(StatementStarted)
    assert started.engine_job_id == str(job.job_id(ran.task)) and 0 < int(started.engine_job_id) < 2**63
    assert ran.metrics["rows_read"] == ran.metrics["rows_written"] == ran.metrics["rows_written.t"] == 5
    assert ran.metrics["bytes_read"] == ran.metrics["bytes_written.t"] > 0
    assert ran.rows == [
        {
            "table": "t",
            "rows_read": 5,
            "rows_written": 5,
            **{n: ran.metrics[n] for n in ("bytes_read", "bytes_written")},
        }
    ]
    assert "rowIndex=5" in ran.log and "5 rows read" in ran.log
    assert ran.fractions == sorted(ran.fractions) and ran.fractions[-1] == 1.0


async def test_steps_are_told_while_they_run_and_when_they_have_ended(zeta: Zeta) -> None:
    ran = await zeta.succeeds(batch(fake("t"), "Console { source_table_name = t }\n"))
    last = ran.of(Progress)[-1].vertices
    assert [vertex.name for vertex in last] == ["Source[0]-FakeSource", "Sink[0]-Console-MultiTableSink"]
    assert all(vertex.succeeded == vertex.total == 1 and not vertex.running for vertex in last)
    assert any(vertex.running for event in ran.of(Progress) for vertex in event.vertices)


async def test_a_csv_file_of_the_workspace_becomes_json(zeta: Zeta) -> None:
    (zeta.workspace / "in").mkdir()
    (zeta.workspace / "in" / "a.csv").write_text("1,ada,36\n2,bob,17\n")
    source = f"LocalFile {{ path = in, file_format_type = csv, {SCHEMA} }}\n"
    ran = await zeta.succeeds(batch(source, to_files("x", "converted")))
    assert zeta.written("converted") == [{"id": 1, "name": "ada", "age": 36}, {"id": 2, "name": "bob", "age": 17}]
    assert ran.metrics["rows_read"] == 2


async def test_one_source_and_two_sinks(zeta: Zeta) -> None:
    ran = await zeta.succeeds(batch(fake("a", 7), to_files("a", "out1") + to_files("a", "out2")))
    assert (ran.metrics["rows_read"], ran.metrics["rows_written"]) == (7, 14)
    assert zeta.written("out1") == zeta.written("out2") and len(zeta.written("out1")) == 7


async def test_two_sources_and_one_sink(zeta: Zeta) -> None:
    ran = await zeta.succeeds(batch(fake("a", 4) + fake("b", 6), to_files("[a, b]", "in2")))
    assert (ran.metrics["rows_read"], ran.metrics["rows_written"]) == (10, 10)
    assert {row["table"]: (row["rows_read"], row["rows_written"]) for row in ran.rows} == {"a": (4, 4), "b": (6, 6)}
    assert len(zeta.written("in2")) == 10


async def test_both_at_once_read_a_source_twice_and_say_so(zeta: Zeta) -> None:
    ran = await zeta.succeeds(batch(fake("a", 4) + fake("b", 6), to_files("[a, b]", "m1") + to_files("a", "m2")))
    assert (ran.metrics["rows_read"], ran.metrics["rows_written"]) == (14, 14)
    assert "WARN source 1 (FakeSource) is read once for each" in ran.log
    assert len(zeta.written("m1")) == 10 and len(zeta.written("m2")) == 4


async def test_transforms_one_after_the_other(zeta: Zeta) -> None:
    transform = (
        'Sql { source_table_name = a, result_table_name = b, query = "select id, name, age + 1 as older from a where '
        'age > ${least}" }\n'
        "FieldMapper { source_table_name = b, result_table_name = c,"
        " field_mapper = { id = id, name = who, older = age } }\n"
        "Replace { source_table_name = c, result_table_name = d, replace_field = who, pattern = a, replacement = A }\n"
        "Copy { source_table_name = d, result_table_name = e, fields { again = who } }\n"
        "Filter { source_table_name = e, result_table_name = f, include_fields = [id, again, age] }\n"
    )
    source = f"FakeSource {{ result_table_name = a, {ROWS}\n {SCHEMA} }}\n"
    await zeta.succeeds(batch(source, to_files("f", "changed"), transform), seatunnel__variable__least="18")
    assert zeta.written("changed") == [{"id": 1, "again": "AdA", "age": 37}, {"id": 3, "again": "cy", "age": 65}]


async def test_a_failure_while_it_runs_is_told_by_its_root_cause(zeta: Zeta) -> None:
    (zeta.workspace / "bad").mkdir()
    (zeta.workspace / "bad" / "a.csv").write_text("1,ada,36\nnotanumber,bob,17\n")
    source = f"LocalFile {{ path = bad, file_format_type = csv, {SCHEMA} }}\n"
    ran = await zeta.run(batch(source, to_files("x", "never")))
    assert (ran.ended.outcome, ran.ended.code) == (Outcome.FAILED, codes.STATEMENT_FAILED)
    assert "Read data from this file" in ran.ended.message
    assert ran.ended.message.endswith('NumberFormatException: For input string: "notanumber"')
    assert "Caused by: java.lang.NumberFormatException" in ran.log


@pytest.mark.parametrize(
    ("text", "code", "reason"),
    [
        ("env {\n a = {", codes.STATEMENT_INVALID, "line 2, column 7: expected }"),
        (batch("Fake {}\n", "Console {}\n"), codes.STATEMENT_INVALID, "did you mean FakeSource?"),
        (batch("Kafka { topic = t, bootstrap.servers = x }\n", "Nope {}\n"), codes.STATEMENT_INVALID,
         "engines add seatunnel-2.3.8 connector-kafka (and 1 more, see the log)"),
        (batch("LocalFile { path = /etc, file_format_type = orc }\n", "Console {}\n"), codes.STATEMENT_INVALID,
         "outside of the workspace"),
        (batch("LocalFile { path = nothing, file_format_type = orc }\n", "Console {}\n"), codes.STATEMENT_FAILED,
         "Unable to create a source for identifier 'LocalFile'"),
        (batch(fake("a"), "Console {}\n", 'Sql { query = "select nocol from a" }\n'), codes.STATEMENT_FAILED,
         "can't find field [nocol]"),
    ],
    ids=["syntax", "plug-in", "jar", "reach", "file", "column"],
)  # fmt: skip
async def test_what_is_wrong_with_a_job_is_told(zeta: Zeta, text: str, code: int, reason: str) -> None:
    ran = await zeta.run(text)
    assert (ran.ended.outcome, ran.ended.code) == (Outcome.FAILED, code)
    assert reason in ran.ended.message and "\n" not in ran.ended.message


async def test_a_reply_that_is_lost_is_asked_for_again(zeta: Zeta, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, submit = [], rest.Rest.submit

    async def losing(self: rest.Rest, *given: Any, **more: Any) -> None:
        await submit(self, *given, **more)
        asked.append(given[0])
        if len(asked) < 3:
            raise rest.Lost("TimeoutError")

    monkeypatch.setattr(rest.Rest, "submit", losing)
    ran = await zeta.succeeds(batch(fake("t", 3), to_files("t", "once")))
    assert len(asked) == 3 and len(set(asked)) == 1
    assert ran.metrics["rows_written"] == 3 == len(zeta.written("once"))


async def test_a_job_that_still_connects_is_killed_soon(zeta: Zeta) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        source = (
            f'Jdbc {{ url = "jdbc:mysql://127.0.0.1:{silent.getsockname()[1]}/x?socketTimeout=20000", '
            'driver = com.mysql.cj.jdbc.Driver, user = u, password = "hush-hush-9", query = "select 1" }\n'
        )
        async with zeta.running(batch(source, "Console {}\n")) as (ran, working):
            connection, _ = await asyncio.to_thread(silent.accept)
            with connection:
                began = time.monotonic()
                await zeta.engine.cancel(ran.task)
                await asyncio.wait_for(working, KILL_SECONDS)
        assert ran.ended.outcome is Outcome.CANCELLED and time.monotonic() - began < KILL_SECONDS
    await zeta.succeeds(batch(fake("t"), "Console {}\n"))


async def test_a_suspended_job_goes_on_in_another_engine(zeta: Zeta, tmp_path: Path) -> None:
    text = stream("suspended", 30, 100)
    async with zeta.running(text) as (ran, working):
        await until(lambda: len(zeta.written("suspended")) >= 3)
        result = await zeta.engine.operate(ran.task, "suspend", {})
        await asyncio.wait_for(working, 60)
    (savepoint,) = ran.savepoints
    assert ran.ended.outcome is Outcome.SUCCEED and "suspended" in ran.ended.message
    assert (savepoint.kind, savepoint.path) == (SavepointKind.SUSPEND, result["path"])
    first = len(zeta.written("suspended"))
    assert 3 <= first == ran.metrics["rows_written"] < 30
    async with opened(tmp_path / "other", zeta.folder) as other, other.running(text, savepoint.path) as (again, _):
        await until(lambda: len(zeta.written("suspended")) == 30)
        assert again.engine_job_id == ran.engine_job_id
    assert len({row["id"] for row in zeta.written("suspended")}) == 30
    # that one was killed: what it went on from is still there
    async with zeta.running(text, savepoint.path) as (third, _):
        await until(lambda: any(event.vertices for event in third.of(Progress)))
    assert third.ended.outcome is Outcome.CANCELLED and third.engine_job_id == ran.engine_job_id
    assert list(Path(savepoint.path).glob("*.ser"))


async def test_a_batch_job_is_suspended_and_goes_on(zeta: Zeta) -> None:
    text = batch(fake("b", 20, "split.num = 4, split.read-interval = 200"), to_files("b", "half"))
    async with zeta.running(text) as (ran, working):
        await until(lambda: any(0 < fraction < 1 for fraction in ran.fractions))
        await zeta.engine.operate(ran.task, "suspend", {})
        await asyncio.wait_for(working, 60)
    async with zeta.running(text, ran.savepoints[0].path) as (again, working):
        await asyncio.wait_for(working, 60)
    assert again.ended.outcome is Outcome.SUCCEED and again.savepoints == []
    assert len(zeta.written("half")) == 20


async def test_only_what_was_suspended_is_gone_on_from(zeta: Zeta) -> None:
    for path in ("/etc", str(zeta.folder / "state" / "seatunnel" / "4711"), "x"):
        async with zeta.running(batch(fake("a"), "Console {}\n"), path) as (ran, working):
            await asyncio.wait_for(working, 60)
        assert (ran.ended.outcome, ran.ended.code) == (Outcome.FAILED, codes.SAVEPOINT_UNUSABLE)
        assert ran.of(StatementStarted) == []


async def test_only_a_running_job_is_suspended(zeta: Zeta) -> None:
    ran = await zeta.succeeds(batch(fake("a"), "Console {}\n"))
    with pytest.raises(Conflict):
        await zeta.engine.operate(ran.task, "suspend", {})
    with pytest.raises(Invalid, match="SeaTunnel has no savepoint"):
        await zeta.engine.operate(ran.task, "savepoint", {})


async def test_a_job_goes_on_when_its_server_crashes(zeta: Zeta) -> None:
    async with zeta.running(stream("crashed", 30, 100)) as (ran, working):
        await until(lambda: len(zeta.written("crashed")) >= 3)
        zeta.kill()
        await until(lambda: len(zeta.written("crashed")) == 30)
        assert not working.done()
    assert ran.ended.outcome is Outcome.CANCELLED
    assert len({row["id"] for row in zeta.written("crashed")}) == 30
    assert "ended with code -9" in ran.log and "restart 1 of 3" in ran.log
    await zeta.succeeds(batch(fake("t"), "Console {}\n"))


async def test_a_job_without_a_checkpoint_fails_with_its_server(tmp_path: Path) -> None:
    async with opened(tmp_path / "own") as own:
        text = batch(fake("b", 50, "split.num = 50, split.read-interval = 1000"), "Console {}\n")
        async with own.running(text) as (ran, working):
            old = own.folder / "state" / "seatunnel" / str(job.job_id(ran.task))
            old.mkdir(parents=True)  # before the task has begun
            (old / "of-another-job.ser").touch()
            await until(lambda: any(fraction for fraction in ran.fractions))
            own.kill()
            await asyncio.wait_for(working, 60)
        assert (ran.ended.outcome, ran.ended.code) == (Outcome.FAILED, codes.ENGINE_LOST)
        assert "-9" in ran.ended.message and "checkpoint.interval" in ran.ended.message
        assert "-9" in await asyncio.wait_for(own.engine.died(), 60)


async def test_a_stream_that_fails_can_be_gone_on_from_its_last_checkpoint(zeta: Zeta) -> None:
    text, temporary = stream("mended", 30, 100), zeta.workspace / "mended-tmp"
    async with zeta.running(text) as (ran, working):
        await until(lambda: len(zeta.written("mended")) >= 5)
        shutil.rmtree(temporary)
        temporary.write_text("a file in the way of its folder")
        await asyncio.wait_for(working, 60)
    assert (ran.ended.outcome, ran.ended.code) == (Outcome.FAILED, codes.STATEMENT_FAILED)
    (savepoint,) = ran.savepoints
    assert savepoint.kind is SavepointKind.CHECKPOINT
    temporary.unlink()
    async with zeta.running(text, savepoint.path) as (again, _):
        await until(lambda: len(zeta.written("mended")) == 30)
        assert again.engine_job_id == ran.engine_job_id
    assert len({row["id"] for row in zeta.written("mended")}) == 30


async def test_a_server_that_does_not_answer_is_ended_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "SILENT_SECONDS", 1.0)
    async with opened(tmp_path / "silent") as silent:
        process = silent.process()
        process.suspend()
        assert "did not answer for 1 s" in await asyncio.wait_for(silent.engine.died(), 60)
        await until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)
