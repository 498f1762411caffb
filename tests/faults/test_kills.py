"""A job killed at each stage of its path: it ends once, Cancelled unless its task had ended, and leaves nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from headgate import Job

from tests.conftest import Service, start, stop
from tests.support.jobs import eventually, shell_job
from tests.support.leftovers import gone, rows, settled

BEFORE, KILLED = "the job was killed before it ran", "the job was killed"
AT_A_CALL = {
    "it has not asked for an engine": ("manager.v1.Manager.RequestEngine", BEFORE),
    "its engine is not yet asked for": ("ecm.v1.Ecm.CreateEngineConnection", BEFORE),
    "its task is not handed over": ("ecm.v1.Ecm.RunTask", BEFORE),
    "its engine has not got the task": ("engineconn.v1.EngineConn.RunTask", KILLED),
}


@pytest.fixture(scope="module")
def holds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("holds")


@pytest.fixture(scope="module")
def killing(tmp_path_factory: pytest.TempPathFactory, holds: Path) -> Iterator[Service]:
    home = tmp_path_factory.mktemp("kills") / "home"
    fake = {"HEADGATE_ENGINES": "shell", "HEADGATE_ENGINE_MODULES": "shell=tests.support.fake_engine"}
    limits = {"HEADGATE_TENANT_RUNNING_JOBS": "1", "HEADGATE_TENANT_ENGINES": "1", "HEADGATE_LEASE_SECONDS": "2"}
    slow = {"HEADGATE_ENGINE_FAKE_OPEN": "log INFO opening\nsleep 1", "HEADGATE_ENGINE_IDLE_SECONDS": "0.1"}
    service = start(home, "--stop-engines", HEADGATE_HOLD=str(holds), **fake, **limits, **slow)
    yield service
    assert stop(service) == 0
    gone(home)


@contextmanager
def held(holds: Path, call: str) -> Iterator[Path]:
    """Whoever comes to the call waits; the file that is given tells that somebody has."""
    path = holds / f"headgate.{call}"
    path.touch()
    try:
        yield path.with_name(f"{path.name}.reached")
    finally:
        path.unlink()
        path.with_name(f"{path.name}.reached").unlink(missing_ok=True)


def cancelled(service: Service, job: Job, why: str) -> None:
    assert job.wait(30) == "Cancelled", "\n".join(job.log())
    assert job.history()["errCode"] == 31001 and re.fullmatch(why, job.history()["errDesc"]), job.history()["errDesc"]
    settled(service.home)
    again = service.admin.submit("rows 1", engine="shell-1")
    assert again.wait(30) == "Succeed", "the place is free for the next"
    settled(service.home)


def all_engines_ended(service: Service) -> None:
    """So that the next job needs one of its own."""
    living = "SELECT engine_id FROM headgate_engine WHERE status != 'Ended'"
    eventually(lambda: rows(service.home, living) == [], "an engine goes on")


@pytest.mark.parametrize("stage", AT_A_CALL)
def test_killed_while(killing: Service, holds: Path, stage: str) -> None:
    call, why = AT_A_CALL[stage]
    all_engines_ended(killing)
    with held(holds, call) as reached:
        job = killing.admin.submit("sleep 600", engine="shell-1")
        eventually(reached.exists, "nobody came there")
        job.kill()
        if call == "ecm.v1.Ecm.RunTask":  # the wish overtakes the task
            eventually(lambda: closed(killing, f"{job.id}-1"), "the node does not know of the wish")
    cancelled(killing, job, why)


def closed(service: Service, task: str) -> bool:
    """Whether the node refuses the task from now on."""
    lines = (service.home / "node" / "ledger.jsonl").read_text().splitlines()
    return any(task in json.loads(line).get("closed", ()) for line in lines)


def test_killed_in_the_queue_behind_a_limit(killing: Service) -> None:
    first = killing.admin.submit("sleep 600", engine="shell-1")
    eventually(lambda: first.status() == "Running", "it runs")
    second = killing.admin.submit("rows 1", engine="shell-1")
    eventually(lambda: any("Waiting for an engine" in line for line in second.log()), "it waits")
    second.kill()
    assert second.wait(30) == "Cancelled" and second.history()["errDesc"] == BEFORE
    assert first.status() == "Running"
    first.kill()
    cancelled(killing, first, KILLED)


def test_killed_while_its_engine_starts(killing: Service) -> None:
    all_engines_ended(killing)
    job = killing.admin.submit("rows 1", engine="shell-1")
    eventually(lambda: any("The engine is starting: opening" in line for line in job.log()), "it starts")
    job.kill()
    cancelled(killing, job, BEFORE)


def test_killed_while_it_runs_and_leaves_a_process_behind(killing: Service) -> None:
    job = killing.admin.submit("child\nlog INFO begun\nsleep 600", engine="shell-1")
    eventually(lambda: any(line.endswith("INFO begun") for line in job.log()), "it runs")
    job.kill()
    cancelled(killing, job, KILLED)


def test_killed_while_it_waits_for_its_next_attempt(killing: Service) -> None:
    job = shell_job(killing, "fail no luck", jobRetryCount="1")
    eventually(lambda: attempt(killing, job) == 2, "its first attempt has failed")
    job.kill()
    cancelled(killing, job, BEFORE)


def attempt(service: Service, job: Job) -> object:
    found = rows(service.home, f"SELECT attempt FROM headgate_job_live WHERE job_id = {job.id}")
    return found[0][0] if found else None


@pytest.mark.parametrize("call", ["ecm.v1.Ecm.AckTask", "manager.v1.Manager.ReleaseEngine"])
def test_killed_when_its_end_is_recorded_it_keeps_its_end(killing: Service, holds: Path, call: str) -> None:
    with held(holds, call) as reached:
        job = killing.admin.submit("rows 1", engine="shell-1")
        eventually(reached.exists, "nobody came there")
        job.kill()
        assert job.status() == "Succeed"
    settled(killing.home)
    assert job.status() == "Succeed"
