"""The whole service dies at a point of a job's path and starts again: the job ends well, once, and nothing is left."""

from __future__ import annotations

import shutil
import sqlite3
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from headgate import Client, Unreachable

from tests.conftest import Service, start

HISTORY, MANAGER, ECM = "jobhistory.v1.JobHistory", "manager.v1.Manager", "ecm.v1.Ecm"
CALLS = [
    f"{HISTORY}/SaveJobHistory", f"{HISTORY}/FindJob", f"{MANAGER}/RequestEngine", f"{HISTORY}/UpdateJobStatus",
    f"{HISTORY}/AddStory", f"{ECM}/CreateEngineConnection", f"{HISTORY}/GetStory", f"{ECM}/RunTask",
    "engineconn.v1.EngineConn/RunTask", f"{HISTORY}/Record", f"{ECM}/AckTask", f"{MANAGER}/ReleaseEngine",
]  # fmt: skip
FIRST_COMMIT, LAST_COMMIT = 11, 23
"""Those before are of the start."""
POINTS = [f"{when} /headgate.{call}#1" for call in CALLS for when in ("before", "after")] + [
    f"{when} commit#{n}" for n in range(FIRST_COMMIT, LAST_COMMIT + 1, 3) for when in ("before", "after")
]
CODE = "echo ran >> {ran}; for n in 1 2 3; do echo line $n; sleep 0.1; done"


def begin(home: Path, **settings: str) -> Service:
    return start(home, HEADGATE_ENGINES="shell", HEADGATE_LEASE_SECONDS="2", **settings)


def end(service: Service, *, by_kill: bool = False) -> None:
    if by_kill:
        service.process.kill()
    else:
        service.process.terminate()
    service.process.wait(30)
    service.admin.close()
    assert service.process.stdout is not None
    service.process.stdout.close()


@pytest.fixture(scope="module")
def started_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with its administrator, so that the commits of the first start are not among those that count."""
    home = tmp_path_factory.mktemp("home") / "home"
    end(begin(home))
    return home


@pytest.mark.parametrize("point", POINTS)
def test_the_service_dies_and_the_job_ends_well(started_once: Path, tmp_path: Path, point: str) -> None:
    home, ran = tmp_path / "home", tmp_path / "ran"
    shutil.copytree(started_once, home)
    service = begin(home, HEADGATE_FAULT=point)
    with suppress(Unreachable):  # it dies before it has answered, or later
        service.admin.submit(CODE.format(ran=ran), engine="shell-1")
    until = time.monotonic() + 8
    while service.process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    end(service, by_kill=True)

    service = begin(home)
    jobs = service.admin.jobs()
    assert len(jobs) <= 1, "a submit is one job at most"
    for job in (service.admin.job(job["taskID"]) for job in jobs):
        assert job.wait(60) == "Succeed", "\n".join(job.log())
        assert ran.read_text() == "ran\n", "it ran once"
        lines = [line.rpartition("INFO ")[2] for line in job.log()]
        assert [line for line in lines if line.startswith("line ")] == ["line 1", "line 2", "line 3"]
        (result,) = job.results()
        assert list(result.rows()) == [["line 1"], ["line 2"], ["line 3"]]
    nothing_is_held(home, service.admin)
    end(service)
    assert processes(home) == []


def nothing_is_held(home: Path, client: Client) -> None:
    """No live row, no hold, no task folder: what the crash left is put right within a few rounds."""
    until = time.monotonic() + 40
    while held := _held(home):
        assert time.monotonic() < until, held
        time.sleep(0.2)


def _held(home: Path) -> list[str]:
    with sqlite3.connect(f"file:{home}/headgate.db?mode=ro", uri=True) as db:
        live = db.execute("SELECT count(*) FROM headgate_job_live").fetchone()[0]
        requests = db.execute("SELECT count(*) FROM headgate_engine_request WHERE state != 'RELEASED'").fetchone()[0]
        holders = db.execute("SELECT count(*) FROM headgate_engine WHERE job_id IS NOT NULL AND status != 'Ended'")
        counts = {"live rows": live, "requests": requests, "holds": holders.fetchone()[0]}
    db.close()
    return [f"{count} {what}" for what, count in counts.items() if count]


def processes(home: Path) -> list[str]:
    until = time.monotonic() + 15
    while True:
        lines = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                lines.append(" ".join(process.cmdline()))
        found = [line for line in lines if str(home) in line]
        if not found or time.monotonic() > until:
            return found
        time.sleep(0.2)
