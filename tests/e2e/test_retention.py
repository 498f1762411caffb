"""What is too old or too much goes from a running service, by ages of seconds; what runs stays; routes say why."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from headgate import HeadgateError, Job

from tests.conftest import Service, kill, start, stop
from tests.support.jobs import eventually
from tests.support.rest import PREFIX, Rest

SECOND = 1 / 86_400
MISSING = 80013
Begin = Callable[..., Service]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """Starts services that sweep twice a second."""
    started: list[Service] = []

    def begin(**settings: object) -> Service:
        named = {f"HEADGATE_{name.upper()}": str(value) for name, value in settings.items()}
        more = {"HEADGATE_ENGINES": "shell", "HEADGATE_SWEEP_SECONDS": "0.5", "HEADGATE_TENANT_RUNNING_JOBS": "3"}
        started.append(start(tmp_path / "home", "--stop-engines", **more | named))
        return started[-1]

    yield begin
    for service in started:
        if service.process.poll() is None:
            stop(service)


def run(service: Service, code: str) -> Job:
    job = service.admin.submit(code, engine="shell-1")
    assert job.wait(60) == "Succeed"
    return job


def folder(service: Service, job: Job) -> Path:
    """Where all that the job wrote is published."""
    return Path(str(job.history()["resultLocation"]).removeprefix("file://")).parent.parent


def test_ended_jobs_go_in_order_of_age_and_what_runs_stays(begin: Begin, tmp_path: Path) -> None:
    stray = tmp_path / "home/storage/jobs/2020-01-01/admin/stray"
    (stray / "1").mkdir(parents=True)
    service = begin(result_days=3 * SECOND, history_days=0)
    running = service.admin.submit("echo begin; sleep 600", engine="shell-1")
    eventually(lambda: bool(list(running.results())), "a result while it runs")
    ended = run(service, "echo one")
    assert [list(result.rows()) for result in ended.results()] == [[["one"]]]
    path = folder(service, ended)
    eventually(lambda: not path.exists(), "the files are removed")
    eventually(lambda: not stray.exists(), "the stray is removed")
    rest = Rest(service)
    routes_say_why(rest, ended, path)
    assert (running.status(), folder(service, running).exists()) == ("Running", True)
    assert any(line.endswith("begin") for line in running.log())
    stop(service)
    rest.http.close()

    service = begin(result_days=0, history_days=3 * SECOND)
    gone = f"/entrance/{ended.id}/status"
    rest = Rest(service)
    eventually(lambda: rest.http.get(PREFIX + gone).status_code == 400, "the history is removed")
    rest.http.close()
    with sqlite3.connect(service.home / "headgate.db") as db:
        for table in ("job_id FROM headgate_job_event", "job_history_id FROM linkis_ps_job_history_detail"):
            assert ended.id not in {row[0] for row in db.execute(f"SELECT {table}")}
    db.close()


def routes_say_why(rest: Rest, job: Job, path: Path) -> None:
    why = "not exists: the job's log and results were removed 3.47222e-05 days after its end."
    location = f"file://{path}/1/results"
    for route, query in (
        ("/filesystem/getDirFileTrees", {"path": location}),
        ("/filesystem/openFile", {"path": f"{location}/_0.dolphin"}),
        ("/filesystem/fileInfo", {"path": f"{location}/_0.dolphin"}),
        ("/filesystem/resultsetToExcel", {"path": f"{location}/_0.dolphin"}),
        ("/filesystem/resultsetsToExcel", {"path": location}),
        (f"/entrance/{job.id}/results/0", {}),
    ):
        code, _, desc = rest.refused(route, **query)
        assert (code, desc.endswith(why)) == (MISSING, True), (route, desc)
    assert rest.get("/filesystem/isExist", path=f"{location}/_0.dolphin") == {"isExist": False}
    assert rest.get("/filesystem/isExist", path=location) == {"isExist": False}
    log = rest.get("/filesystem/openLog", path=f"file://{path}/1/log")["log"][3].splitlines()
    assert log == job.log()
    assert "is accepted" in log[0] and "removed" in log[-1] and any("Running" in line for line in log)
    assert rest.get(f"/jobhistory/{job.id}/get")["task"]["status"] == "Succeed"
    with pytest.raises(HeadgateError, match="removed"):
        list(job.results())


def test_above_its_size_the_first_that_ended_go(begin: Begin) -> None:
    service = begin(storage_mb=2, result_days=0)
    running = service.admin.submit("echo begin; sleep 600", engine="shell-1")
    jobs = [run(service, "head -c 500000 /dev/urandom | base64 -w 100") for _ in range(3)]  # with its log 1.3 MB each
    paths = [folder(service, job) for job in jobs]
    eventually(lambda: not paths[1].exists(), "two are too much")
    assert [path.exists() for path in paths] == [False, False, True]
    assert running.status() == "Running"
    assert jobs[0].log()[-1].endswith("were removed to keep the storage under 2 MiB")


def test_a_kill_while_files_go_leaves_nothing_half(begin: Begin) -> None:
    service = begin(result_days=0, history_days=0)
    running = service.admin.submit("echo begin; sleep 600", engine="shell-1")
    jobs = [run(service, "echo one") for _ in range(8)]
    paths = [folder(service, job) for job in jobs]
    kill(service)
    service = begin(result_days=SECOND, sweep_seconds=0.2)
    eventually(lambda: not all(path.exists() for path in paths), "files go")
    kill(service)
    with sqlite3.connect(service.home / "headgate.db") as db:
        said = {job for (job,) in db.execute("SELECT job_id FROM headgate_job_files WHERE state != 'kept'")}
    db.close()
    assert {job.id for job, path in zip(jobs, paths, strict=True) if not path.exists()} <= said
    service = begin(result_days=SECOND, sweep_seconds=0.2)
    eventually(lambda: not any(path.exists() for path in paths), "the next goes on, once the lock's lease is over")
    again = service.admin.job(running.id)
    eventually(lambda: again.status() == "Running", "what runs goes on")
    for job in jobs:
        assert service.admin.job(job.id).log()[-1].endswith("days after its end")
