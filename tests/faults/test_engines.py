"""An engine that dies, hangs or never comes up: its job ends soon, says why, and the next one gets a new engine."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from headgate import Job

from tests.conftest import Service, Start, start, stop
from tests.support.jobs import eventually, run, shell_job, tables
from tests.support.leftovers import gone, rows, settled

STREAM = """CREATE TABLE g (id INT) WITH ('connector'='datagen', 'rows-per-second'='5');
CREATE TABLE b (id INT) WITH ('connector'='blackhole'); INSERT INTO b SELECT * FROM g"""


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    limit = {"HEADGATE_TENANT_ENGINES": "1", "HEADGATE_TENANT_RUNNING_JOBS": "1"}
    service = start(tmp_path_factory.mktemp("engines") / "home", "--stop-engines", HEADGATE_LEASE_SECONDS="2", **limit)
    yield service
    assert stop(service) == 0
    gone(service.home)


def running(service: Service) -> Job:
    job = service.client().submit(STREAM)
    eventually(lambda: any("INITIALIZING to RUNNING" in line for line in job.log()), "it runs", 120)
    return job


def process_of(service: Service, name: str) -> psutil.Process:
    """The JVM (`java`) or the engine connection (`python`) that works in the home."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            line = " ".join(process.cmdline())
            if str(service.home) in line and process.name().startswith(name) and "services " not in f"{line} ":
                return process
    raise AssertionError(f"no {name}")


def members(group: int) -> list[int]:
    """The living processes of a group."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


@pytest.mark.parametrize(
    ("victim", "number", "why"),
    [
        ("java", signal.SIGKILL, r"the engine died: Flink's JVM ended with code -9"),
        (
            "java",
            signal.SIGSTOP,
            r"the engine died: Flink's REST did not answer for 20 s, and its processes were ended",
        ),
        ("python", signal.SIGSTOP, r"the engine ended while the job ran: its process did not answer for 30 s"),
        ("python", signal.SIGKILL, r"the engine ended while the job ran: its process ended with exit code 137"),
    ],
)
def test_an_engine_dies_or_hangs(engines: Service, victim: str, number: signal.Signals, why: str) -> None:
    job = running(engines)
    ((engine, status),) = rows(engines.home, f"SELECT engine_id, status FROM headgate_engine WHERE job_id = {job.id}")
    assert status == "Ready"
    process = process_of(engines, victim)
    group = os.getpgid(process.pid)
    assert len(members(group)) >= 3, "the shim, the connection, the JVM"
    os.kill(process.pid, number)
    assert job.wait(30 if number is signal.SIGKILL else 90) == "Failed"
    assert re.match(why, job.history()["errDesc"]), job.history()["errDesc"]
    assert job.log()[-1].endswith("completed with a status Failed. You can view logs for the reason.")
    eventually(lambda: not members(group), "all of it is gone")
    # there is room for one engine: the next job gets a new one because the limit was given back
    assert tables(run(engines, "SELECT 1")) == [[["1"]]]
    assert rows(engines.home, f"SELECT status FROM headgate_engine WHERE engine_id = '{engine}'") == [("Ended",)]
    settled(engines.home)


def test_a_job_whose_engine_connection_hangs_is_killed(engines: Service) -> None:
    job = running(engines)
    os.kill(process_of(engines, "python").pid, signal.SIGSTOP)
    job.kill()
    assert job.wait(120) == "Cancelled" and "the job was killed" in job.history()["errDesc"]
    settled(engines.home)


def test_a_job_whose_time_is_over_while_its_engine_connection_hangs_ends_as_timeout(engines: Service) -> None:
    late = shell_job(engines, "echo begin; sleep 600", jobRunningTimeout=10, jobRetryCount=1)
    eventually(lambda: any("begin" in line for line in late.log()), "it runs")
    os.kill(process_of(engines, "python").pid, signal.SIGSTOP)
    assert late.wait(120) == "Timeout"
    why = late.history()["errDesc"]
    assert why.startswith("the job ran for too long: jobRunningTimeout=10; the engine ended while the job ran: "), why
    settled(engines.home)


def test_a_job_that_meets_a_dying_engine_runs_on_another(engines: Service) -> None:
    for _ in range(3):
        run(engines, "SELECT 1")
        process_of(engines, "python").kill()
        job = run(engines, "SELECT 2")
        assert tables(job) == [[["2"]]] and "is accepted" in job.log()[0]
    settled(engines.home)


def test_an_idle_engine_that_dies_is_replaced(engines: Service) -> None:
    run(engines, "SELECT 1")
    process_of(engines, "java").kill()
    until = time.monotonic() + 60
    while (job := engines.client().submit("SELECT 2")).wait(120) != "Succeed":
        assert time.monotonic() < until, job.history()["errDesc"]


@pytest.mark.parametrize(
    ("module", "opening", "why"),
    [
        ("tests.support.fake_engine", "fail no luck", "the fake engine did not open: no luck"),
        ("tests.support.fake_engine", "crash", "its process ended with exit code 137: Killed"),
        (
            "tests.support.no_engine",
            "",
            "its process ended with exit code 1: .* No module named 'tests.support.no_engine'",
        ),
    ],
)
def test_an_engine_that_dies_at_birth_is_told_within_seconds(
    begin: Start, home: Path, module: str, opening: str, why: str
) -> None:
    modules = {"HEADGATE_ENGINE_MODULES": f"shell={module}", "HEADGATE_ENGINE_FAKE_OPEN": opening}
    service = begin("--stop-engines", **modules)
    job = service.admin.submit("rows 1", engine="shell-1")
    assert job.wait(30) == "Failed"
    assert re.fullmatch(f"the engine did not start: {why}", job.history()["errDesc"]), job.history()["errDesc"]
    settled(home)
    assert stop(service) == 0
    gone(home)
