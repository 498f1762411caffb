"""Jobs on a real Flink, through REST: progress, log, kill, workspace, warm engines, and Linkis' own Python SDK."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time

import pytest

from tests.conftest import Service
from tests.support.jobs import BATCH, eventually, run, tables

STREAM = """CREATE TABLE g (id INT) WITH ('connector'='datagen', 'rows-per-second'='5');
CREATE TABLE b (id INT) WITH ('connector'='blackhole')"""
LINE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} (INFO|WARN|ERROR) ")


def test_progress_never_falls_and_is_whole_only_at_the_end(service: Service) -> None:
    code = """CREATE TABLE g (id INT) WITH ('connector'='datagen', 'number-of-rows'='40', 'rows-per-second'='20');
    CREATE TABLE b (id INT) WITH ('connector'='blackhole');
    INSERT INTO b SELECT * FROM g; INSERT INTO b SELECT id FROM g GROUP BY id; SELECT COUNT(*) FROM g"""
    job = service.client().submit(code)
    seen, steps = [], 0
    while job.status() not in ("Succeed", "Failed"):
        progress = job.progress()
        if job.status() == "Running":
            seen.append(progress.fraction)
            steps += len(progress.steps)
            for step in progress.steps:
                assert step["totalTasks"] >= step["succeedTasks"] + step["runningTasks"] + step["failedTasks"]
        time.sleep(0.05)
    assert seen == sorted(seen) and seen[0] >= 0.0 and seen[-1] < 1.0
    assert len({fraction for fraction in seen if fraction > 0.0}) >= 3 and steps
    assert job.status() == "Succeed" and job.progress().fraction == 1.0


def test_the_log_tells_the_story_with_flinks_lines_while_it_runs(service: Service) -> None:
    job = service.client().submit(f"{STREAM}; INSERT INTO b SELECT * FROM g")
    eventually(lambda: any("switched from INITIALIZING to RUNNING" in line for line in job.log()), "Flink's lines")
    assert job.status() == "Running"
    job.kill()
    assert job.wait(30) == "Cancelled"
    log = job.log()
    assert all(LINE.match(line) for line in log)
    told = ["is accepted", "Scheduled", "Your job is Running now", "statement(s) checked", "Statement 3 of 3: INSERT"]
    places = [next(n for n, line in enumerate(log) if text in line) for text in [*told, "completed with a status"]]
    assert places == sorted(places)
    assert not any("Statement 3 of 3" in line for line in run(service, "SELECT 1").log()), "of this job alone"


@pytest.mark.parametrize("statement", ["INSERT INTO b SELECT * FROM g", "SELECT * FROM g"])
def test_an_endless_stream_is_killed_soon(service: Service, statement: str) -> None:
    job = service.client().submit(f"{STREAM}; {statement}")
    eventually(lambda: any("to RUNNING" in line for line in job.log()), "it runs")
    began = time.monotonic()
    job.kill()
    assert job.wait(30) == "Cancelled" and time.monotonic() - began < 6.0
    assert job.history()["errCode"] == 31001


def test_a_job_killed_before_its_statement_runs_is_cancelled(service: Service) -> None:
    job = service.client().submit(f"{STREAM}; INSERT INTO b SELECT * FROM g")
    job.kill()
    assert job.wait(30) == "Cancelled"
    run(service, "SELECT 1")


def test_the_workspace_holds_relative_paths(service: Service) -> None:
    code = """
    CREATE TABLE t (id INT, n STRING) WITH ('connector'='filesystem', 'path'='kept/t', 'format'='csv');
    CREATE TABLE same (id INT, n STRING) WITH ('connector'='filesystem', 'path'='${workspace}/kept/t', 'format'='csv');
    INSERT INTO t VALUES (1, 'a'), (2, 'b');
    SELECT * FROM same ORDER BY id;
    """
    assert tables(run(service, code, configuration=BATCH)) == [[["1", "a"], ["2", "b"]]]
    assert (service.home / "workspace" / "admin" / "kept" / "t").is_dir()


def test_the_warm_engine_serves_the_same_tenant_only(service: Service) -> None:
    def engine_of(creator: str) -> str:
        job = run(service, "SELECT 1", configuration=BATCH, creator=creator)
        line = next(line for line in job.log() if "Please wait it to run. Engine " in line)
        return line.partition("Engine ")[2].split()[0]

    assert engine_of("IDE") == engine_of("IDE") != engine_of("OTHER")


@pytest.mark.parametrize("version", ["1.20.5", "2.3.0"])
def test_versions_run_beside_each_other(service: Service, version: str) -> None:
    job = run(service, "SELECT 1 AS uno; SHOW TABLES", engine=f"flink-{version}", configuration=BATCH)
    assert tables(job) == [[["1"]], []] and f"engineType:flink-{version}" in job.history()["labels"]


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
