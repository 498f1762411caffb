"""The whole service dies at a point of a job's path and starts again: the job ends well, once, and nothing is left."""

from __future__ import annotations

import shutil
import signal
from contextlib import suppress
from pathlib import Path

import pytest
from headgate import Unreachable

from tests.conftest import Start, start, stop
from tests.support.leftovers import gone, settled

SETTINGS = {"HEADGATE_ENGINES": "shell", "HEADGATE_LEASE_SECONDS": "2"}
HISTORY, MANAGER, ECM = "jobhistory.v1.JobHistory", "manager.v1.Manager", "ecm.v1.Ecm"
CALLS = [
    f"{HISTORY}/SaveJobHistory", f"{HISTORY}/FindJob", f"{MANAGER}/RequestEngine", f"{HISTORY}/UpdateJobStatus",
    f"{HISTORY}/AddStory", f"{ECM}/CreateEngineConnection", f"{HISTORY}/GetStory", f"{ECM}/RunTask",
    "engineconn.v1.EngineConn/RunTask", f"{HISTORY}/Record", f"{ECM}/AckTask", f"{MANAGER}/ReleaseEngine",
]  # fmt: skip
FIRST_COMMIT, LAST_COMMIT = 11, 23
"""Those before are of the start."""
LEDGER_WRITES = ["engine created", "engine spawned", "engine ready", "epoch", "task", "task closed"]
FILES = ["schema", "part", "log"]
POINTS = [
    *(f"{when} /headgate.{call}#1" for call in CALLS for when in ("before", "after")),
    *(f"{when} commit#{n}" for n in range(FIRST_COMMIT, LAST_COMMIT + 1, 3) for when in ("before", "after")),
    *(f"before ledger#{n}" for n in range(1, len(LEDGER_WRITES))),
    f"after ledger#{len(LEDGER_WRITES)}",
    "before spawn#1", "after spawn#1",
    *(f"before storing#{n}" for n in range(1, len(FILES) + 1)),
    f"after storing#{len(FILES)}",
]  # fmt: skip
"""After a write of the ledger or a file comes the next thing on the list, so most need no point after them."""
CODE = "echo ran >> {ran}; for n in 1 2 3; do echo line $n; sleep 0.1; done"


@pytest.fixture(scope="module")
def started_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with its administrator, so that the commits of the first start are not among those that count."""
    home = tmp_path_factory.mktemp("home") / "home"
    assert stop(start(home, **SETTINGS)) == 0
    return home


@pytest.mark.parametrize("point", POINTS)
def test_the_service_dies_and_the_job_ends_well(
    started_once: Path, begin: Start, home: Path, temporary: Path, tmp_path: Path, point: str
) -> None:
    ran = tmp_path / "ran"
    shutil.copytree(started_once, home)
    service = begin(HEADGATE_FAULT=point, **SETTINGS)
    with suppress(Unreachable):  # it dies before it has answered, or later
        service.admin.submit(CODE.format(ran=ran), engine="shell-1")
    assert service.process.wait(20) == -signal.SIGKILL, "nobody came there"

    service = begin("--stop-engines", **SETTINGS)
    jobs = service.admin.jobs()
    assert len(jobs) <= 1, "a submit is one job at most"
    for job in (service.admin.job(job["taskID"]) for job in jobs):
        assert job.wait(60) == "Succeed", "\n".join(job.log())
        assert ran.read_text() == "ran\n", "it ran once"
        lines = [line.rpartition("INFO ")[2] for line in job.log()]
        assert [line for line in lines if line.startswith("line ")] == ["line 1", "line 2", "line 3"]
        (result,) = job.results()
        assert list(result.rows()) == [["line 1"], ["line 2"], ["line 3"]]
    settled(home)
    assert stop(service) == 0
    gone(home, temporary)
