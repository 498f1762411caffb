"""SQL on a real Flink, through REST."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from headgate import Job

from tests.conftest import Service

BATCH = {"execution.runtime-mode": "batch"}


def run(service: Service, code: str, expected: str = "Succeed", **more: Any) -> Job:
    job = service.client().submit(code, **more)
    status = job.wait(240)
    assert status == expected, "\n".join(job.log())
    return job


def tables(job: Job) -> list[list[list[str | None]]]:
    return [list(result.rows()) for result in job.results()]


def test_types_are_exact(service: Service) -> None:
    code = """
    SELECT CAST(1 AS TINYINT), 9223372036854775807, CAST('12345678.90' AS DECIMAL(20, 2)), 1.5E0, TRUE, 'x',
      DATE '2026-01-02', TIMESTAMP '2026-01-02 03:04:05.120', CAST(NULL AS INT), ARRAY[1, 2], MAP['k', 1], ROW(1, 'z')
    """
    job = run(service, code, configuration=BATCH)
    (result,) = job.results()
    assert [column.type for column in result.columns] == [
        "tinyint", "bigint", "decimal", "double", "boolean", "string",
        "date", "timestamp", "int", "array", "map", "struct",
    ]  # fmt: skip
    (row,) = result.rows()
    assert row[:10] == [
        "1", "9223372036854775807", "12345678.90", "1.5", "true", "x",
        "2026-01-02", "2026-01-02 03:04:05.120", None, "[1, 2]",
    ]  # fmt: skip
    assert row[10] == '{"k": 1}'


def test_a_script_writes_and_reads_back_by_relative_path(service: Service) -> None:
    code = """
    CREATE TABLE t (id INT, name STRING) WITH ('connector'='filesystem', 'path'='kept/t', 'format'='csv');
    INSERT INTO t VALUES (1, 'a'), (2, 'b');
    SELECT * FROM t ORDER BY id;
    SHOW TABLES;
    DESCRIBE t;
    SELECT * FROM t WHERE id > 5
    """
    job = run(service, code, configuration=BATCH)
    read, shown, described, empty = tables(job)
    assert read == [["1", "a"], ["2", "b"]] and shown == [["t"]] and empty == []
    assert [row[0] for row in described] == ["id", "name"]
    assert (service.home / "workspace" / "admin" / "kept" / "t").is_dir()


def test_streaming_is_the_default_and_updates_have_their_kind(service: Service) -> None:
    code = "SELECT b, COUNT(*) AS c FROM (VALUES (1, 'x'), (2, 'x')) AS t(a, b) GROUP BY b; SELECT 1 AS uno"
    grouped, one = run(service, code).results()
    assert [column.name for column in grouped.columns] == ["op", "b", "c"]
    assert list(grouped.rows()) == [["+I", "x", "1"], ["-U", "x", "1"], ["+U", "x", "2"]]
    assert [column.name for column in one.columns] == ["uno"] and list(one.rows()) == [["1"]]


def test_nothing_runs_when_a_later_statement_is_wrong(service: Service) -> None:
    code = """CREATE TABLE w (id INT) WITH ('connector'='filesystem', 'path'='never', 'format'='csv');
    INSERT INTO w VALUES (1);
    SELECT nope
      FROM w"""
    job = run(service, code, "Failed", configuration=BATCH)
    said = job.history()["errDesc"]
    assert said.startswith("statement 3 (line 3, column 12)") and "nope" in said and "\n" not in said
    assert not (service.home / "workspace" / "admin" / "never").exists()


def test_the_first_failing_statement_stops_and_earlier_results_stay(service: Service) -> None:
    code = "SELECT 1 AS a; SELECT CAST(x AS INT) FROM (VALUES ('no')) AS t(x); SELECT 3 AS c"
    job = run(service, code, "Failed", configuration=BATCH)
    assert tables(job)[0] == [["1"]] and len(tables(job)) == 2
    assert "statement 2" in job.history()["errDesc"]


def test_set_a_statement_set_and_variables(service: Service) -> None:
    code = """--@set n=3
    SET 'execution.runtime-mode' = 'batch';
    CREATE TABLE a (id INT) WITH ('connector'='blackhole');
    BEGIN STATEMENT SET;
    INSERT INTO a VALUES (1);
    INSERT INTO a VALUES (2);
    END;
    SELECT ${n+1} AS n, '${who}' AS who"""
    job = run(service, code, variables={"who": "me"})
    assert tables(job) == [[["4", "me"]]]


def test_an_endless_stream_is_killed(service: Service) -> None:
    code = """CREATE TABLE g (id INT) WITH ('connector'='datagen', 'rows-per-second'='5');
    CREATE TABLE b (id INT) WITH ('connector'='blackhole');
    INSERT INTO b SELECT * FROM g"""
    job = service.client().submit(code)
    seen = 0.0
    for line in job.follow_log():
        now = job.progress().fraction
        assert seen <= now < 1.0
        seen = now
        if "to RUNNING" in line:
            break
    job.kill()
    assert job.wait(30) == "Cancelled"


def test_the_warm_engine_serves_the_same_tenant_only(service: Service) -> None:
    def engine_of(creator: str) -> str:
        job = run(service, "SELECT 1", configuration=BATCH, creator=creator)
        line = next(line for line in job.log() if "Please wait it to run. Engine " in line)
        return line.partition("Engine ")[2].split()[0]

    assert engine_of("IDE") == engine_of("IDE") != engine_of("OTHER")


SDK = """
import asyncio, json, sys
from linkis_python_sdk.asyncio.client import LinkisClient as Async
from linkis_python_sdk.client import LinkisClient
from linkis_python_sdk.config.config import LinkisConfig
url, user, password, code = sys.argv[1:]
config = LinkisConfig(url, user, password)
wanted = {"columns": [{"column": "id"}, {"column": "name"}], "orderbys": [{"column": "id", "ascending": True}]}
print(json.dumps(LinkisClient(config).execute_code(code, wanted, "flink-1.20.5", "sql")))
print(json.dumps(asyncio.run(Async(config).execute_code(code, wanted, "flink-1.20.5", "sql"))))
"""


def test_the_linkis_python_sdk_works_unchanged(service: Service) -> None:
    # in a process of its own: it leaves its connections to the garbage collector
    code = "SET 'execution.runtime-mode'='batch'; SELECT 1 AS id, 'x' AS name; SELECT 2 AS id, 'y' AS name"
    where = f"{service.url}/api/rest_j/v1"
    command = [sys.executable, "-c", SDK, where, service.user, service.password, code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    expected = [[{"id": 1, "name": "x"}, {"id": 2, "name": "y"}], 2, ""]
    assert [json.loads(line) for line in done.stdout.splitlines()] == [expected, expected], done.stderr
