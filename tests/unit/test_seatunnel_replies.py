"""What SeaTunnel says, in its replies, traces and logs, and what is made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from services.engineconn.engine import Task, Vertex
from services.engineconn.seatunnel import errors, job, launch, metrics, rest
from services.engineconn.seatunnel.files import Files
from services.engineconn.seatunnel.metrics import Counts
from tests.support import seatunnel

FACTORY = (
    "org.apache.seatunnel.api.table.factory.FactoryException: ErrorCode:[API-06], "
    "ErrorDescription:[Factory initialize failed] - Unable to create a source for identifier 'Jdbc'."
)
CATALOG = (
    "Caused by: org.apache.seatunnel.api.table.catalog.exception.CatalogException: ErrorCode:[API-03], "
    "ErrorDescription:[Catalog initialize failed] - Failed connecting to jdbc:mysql://h:1/d via JDBC."
)
AWAY = "com.mysql.cj.jdbc.exceptions.CommunicationsException: Communications link failure"
TRACES = {
    "a refused password": (
        f"{FACTORY}\n\tat a.b.C.d(C.java:1)\n{CATALOG}\n\t... 15 more\n"
        "Caused by: java.sql.SQLException: Access denied for user 'st'@'localhost' (using password: YES)\n\tat x.Y.z",
        "Unable to create a source for identifier 'Jdbc': "
        "Access denied for user 'st'@'localhost' (using password: YES)",
    ),
    "a database that is away": (
        f"{FACTORY}\nCaused by: {AWAY}\n\nThe last packet …\n\tat a.B.c\nCaused by: java.net.ConnectException: "
        "Connection refused",
        "Unable to create a source for identifier 'Jdbc': the database does not answer: Connection refused",
    ),
    "a missing class": (
        f"{FACTORY}\nCaused by: java.lang.NoClassDefFoundError: com/mysql/cj/MysqlType",
        "Unable to create a source for identifier 'Jdbc': a class is missing, and with it a jar: "
        "NoClassDefFoundError: com/mysql/cj/MysqlType",
    ),
    "a file that cannot be read": (
        "org.apache.seatunnel.connectors.seatunnel.file.exception.FileConnectorException: ErrorCode:[FILE-08], "
        "ErrorDescription:[File read failed] - Read data from this file [f] failed\n\tat a.B.c(B.java:85)\n"
        'Caused by: java.lang.NumberFormatException: For input string: "x"\n\tat d.E.f',
        'Read data from this file [f] failed: NumberFormatException: For input string: "x"',
    ),
    "a name and no words": (
        "org.apache.seatunnel.engine.server.resourcemanager.NoEnoughResourceException",
        "NoEnoughResourceException",
    ),
    "a code and no words": (
        "java.lang.RuntimeException: org.apache.x.JobException: ErrorCode:[API-09], "
        "ErrorDescription:[Handle save mode failed]",
        "Handle save mode failed (API-09)",
    ),
    "words alone": ("can't find field [nocol]", "can't find field [nocol]"),
    "a cause that says the same": ("a.b.JobException: no\nCaused by: c.d.JobException: no", "no"),
    "nothing": ("", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", TRACES)
def test_a_trace_is_told_in_one_line(name: str) -> None:
    trace, expected = TRACES[name]
    assert errors.root(trace) == expected


def log(trace: str, prefix: str = "") -> str:
    return (
        f"{prefix}2026-11-23 01:17:59.431 INFO Other - before\n"
        f"{prefix}2026-11-23 01:17:59.431 WARN Log4j2HttpPostCommandProcessor - "
        f"An error occurred while handling request HttpCommand {{uri='/hazelcast/rest/maps/submit-job'}}\n{trace}\n"
        f"{prefix}2026-11-23 01:17:59.436 INFO ConfigBuilder - after\nCaused by: a.b.C: of another\n"
    )


@pytest.mark.parametrize("prefix", ["", "[] "])
def test_a_refused_submit_is_explained_by_the_log(prefix: str) -> None:
    trace, expected = TRACES["a refused password"]
    earlier = log("a.b.C: of an earlier submit", prefix)
    assert errors.from_log(earlier + log(trace, prefix), "Unable to create") == expected


def test_a_refused_submit_without_a_log_is_what_the_reply_says() -> None:
    assert errors.from_log("", "Plugin PluginIdentifier{…} not found.") == "Plugin PluginIdentifier{…} not found."


RUNNING: dict[str, Any] = {
    "jobId": "900001", "jobStatus": "RUNNING",
    "jobDag": {"vertices": [{"id": 1, "name": "Source[0]-FakeSource(id=1)", "parallelism": 2}], "edges": []},
    "metrics": {
        "SourceReceivedCount": "5", "SinkWriteCount": "10", "SourceReceivedBytes": "85", "SinkWriteBytes": "170",
        "TableSourceReceivedCount": {"a": "5"}, "TableSinkWriteCount": {"a": "10"}, "TableSinkWriteBytes": {"a": "170"},
    },
}  # fmt: skip
FINISHED: dict[str, Any] = {**RUNNING, "jobStatus": "FINISHED", "jobDag": '{"jobId":900001}', "errorMsg": None}


def test_a_running_job() -> None:
    said = rest.read(RUNNING)
    assert said is not None and not said.ended
    assert said.vertices == (Vertex("1", "Source[0]-FakeSource", 0, 0, 2, 2),)


def test_a_job_has_ended_only_when_the_end_is_told() -> None:
    early, late = rest.read(FINISHED), rest.read({**FINISHED, "finishTime": "2026-11-23 01:12:29"})
    assert early is not None and late is not None
    assert not early.ended and late.ended and late.finished_at == "2026-11-23 01:12:29" and late.error == ""


@pytest.mark.parametrize("said", [None, [], {}, {"jobId": "999"}, "x"])
def test_an_unknown_job(said: object) -> None:
    assert rest.read(said) is None


def test_steps_end_with_their_job() -> None:
    step = Vertex("1", "x", 0, 0, 2, 2)
    assert rest.in_status(step, "FINISHED") == Vertex("1", "x", 2, 0, 0, 2)
    assert rest.in_status(step, "CANCELED") == Vertex("1", "x", 0, 2, 0, 2)
    assert rest.in_status(step, "SCHEDULED") == Vertex("1", "x", 0, 0, 0, 2)


def test_counts_are_told_by_table() -> None:
    counts = Counts.of(RUNNING["metrics"])
    assert counts.named() == {
        "rows_read": 5, "rows_written": 10, "bytes_read": 85, "bytes_written": 170,
        "rows_read.a": 5, "rows_written.a": 10, "bytes_read.a": 0, "bytes_written.a": 170,
    }  # fmt: skip
    assert counts.table().to_pylist() == [
        {"table": "a", "rows_read": 5, "rows_written": 10, "bytes_read": 0, "bytes_written": 170}
    ]
    assert counts.line() == "5 rows read (85 bytes), 10 rows written (170 bytes)"
    assert counts.line(Counts(), 5.0).endswith("; 1.0 rows/s in, 2.0 rows/s out")


def test_counts_of_two_runs_are_added() -> None:
    both = Counts.of(RUNNING["metrics"]) + Counts.of({"SinkWriteCount": "1", "TableSinkWriteCount": {"b": "1"}})
    assert both.whole["rows_written"] == 11
    assert (both.tables["a"]["rows_written"], both.tables["b"]["rows_written"]) == (10, 1)


@pytest.mark.parametrize("said", [{}, {"SinkWriteCount": None}, {"SinkWriteCount": "NaN"}, {"TableSinkWriteCount": 3}])
def test_counts_that_are_not_there_are_none(said: dict[str, Any]) -> None:
    assert set(Counts.of(said).named().values()) == {0}


def test_a_total_is_known_of_made_up_rows_only() -> None:
    fake = {"plugin_name": "FakeSource", "row.num": 50}
    env = {"job.mode": "BATCH", "parallelism": 2}
    assert metrics.total_rows({"env": env, "source": [fake, {**fake, "parallelism": 1}]}) == 150
    assert metrics.total_rows({"env": env, "source": [fake, {"plugin_name": "Jdbc"}]}) is None
    assert metrics.total_rows({"env": {"job.mode": "STREAMING"}, "source": [fake]}) is None


def test_an_attempt_always_has_the_same_id_of_its_own() -> None:
    ids = {job.job_id(Task(number, attempt, "", "szeta")) for number in range(200) for attempt in (1, 2)}
    assert len(ids) == 400 and all(0 < one < 2**63 for one in ids)
    assert job.job_id(Task(1, 1, "x", "szeta")) == job.job_id(Task(1, 1, "y", "szeta"))


def test_the_servers_files_and_command_keep_to_its_own_folders_and_to_loopback(tmp_path: Path) -> None:
    spec = seatunnel.spec(tmp_path)
    for jar in ("starter/a.jar", "starter/seatunnel-config-shade-2.3.8.jar", "lib/b.jar"):
        (tmp_path / jar).parent.mkdir(exist_ok=True)
        (tmp_path / jar).touch()
    files = launch.config(spec, tmp_path / "work", 4711)
    assert "port: 4711" in files["hazelcast.yaml"] and "127.0.0.1:4711" in files["hazelcast.yaml"]
    assert f"namespace: {tmp_path}/state/seatunnel/" in files["seatunnel.yaml"]
    command = launch.argv(spec, Files(tmp_path, Path("/java")), tmp_path / "work")
    names = [Path(jar).name for jar in command[command.index("-cp") + 1].split(":")]
    assert names == ["seatunnel-config-shade-2.3.8.jar", "a.jar", "b.jar"]
    assert "-Xmx384m" in command and command[-1] == launch.MAIN
