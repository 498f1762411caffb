"""A full disk: who asks is told so and what to do, nothing is spoiled, and all goes on once there is room."""

from __future__ import annotations

from pathlib import Path

import httpx2
from headgate import Job

from tests.conftest import Service, Start, stop
from tests.support.jobs import eventually, run, shell_job, tables
from tests.support.leftovers import gone, processes_of, rows, settled
from tests.support.machines import filled, small_disk

SETTINGS = {"HEADGATE_LEASE_SECONDS": "2", "HEADGATE_TENANT_RUNNING_JOBS": "3",
            "HEADGATE_TENANT_ENGINES": "3"}  # fmt: skip
TICKS = "n=0; while [ ! -e {gate} ]; do n=$((n+1)); echo tick $n; sleep 0.1; done; echo last"
LONG = "# " + "x" * 60_000 + "\necho long"
NOT_WRITTEN, ENGINE_LOST = 100009, 101001


def submit(service: Service, code: str, **headers: str) -> httpx2.Response:
    body = {"executionContent": {"code": code, "runType": "shell"}, "labels": {"engineType": "shell-1"}}
    token = {"Token-Code": service.token, "Token-User": service.user}
    return httpx2.post(f"{service.url}/api/rest_j/v1/entrance/submit", json=body, headers=token | headers, timeout=60)


def refused_for_want_of_room(reply: httpx2.Response, folder: Path) -> None:
    answer = reply.json()
    assert (reply.status_code, answer["status"]) == (503, 1), answer
    assert int(reply.headers["Retry-After"]) > 0
    fault = answer["data"]["errorMsg"]
    assert fault["errCode"] == NOT_WRITTEN
    assert fault["desc"] == f"there is no room left on the disk of {folder}; make some, and it goes on"


def test_a_state_folder_without_room(home: Path, begin: Start, tmp_path: Path) -> None:
    with small_disk(home, 24):
        gate = tmp_path / "gate"
        service = begin("--stop-engines", **SETTINGS)
        run(service, "echo before", engine="shell-1")
        job = service.admin.submit(TICKS.format(gate=gate), engine="shell-1")
        eventually(lambda: any("tick 3" in line for line in job.log()), "it runs")
        with filled(home):
            eventually(lambda: submit(service, "echo no").status_code == 503, "the last room is used up")
            before = len(service.admin.jobs())
            for code in ("echo no", LONG):
                refused_for_want_of_room(submit(service, code, **{"Idempotency-Key": "again"}), home)
            assert httpx2.get(f"{service.url}/health/live").status_code == 200, "it stays up"
            assert job.status() == "Running" and len(service.admin.jobs()) == before
        after = submit(service, LONG, **{"Idempotency-Key": "again"})
        assert after.status_code == 200, "the key was not used up by what was refused"
        assert service.admin.job(after.json()["data"]["taskID"]).wait(60) == "Succeed"
        gate.touch()
        whole_or_failed_for_want_of_room(job)
        assert tables(run(service, "echo after", engine="shell-1")) == [[["after"]]]
        settled(home)
        assert rows(home, "PRAGMA integrity_check") == [("ok",)]
        assert stop(service) == 0
        gone(home)


def whole_or_failed_for_want_of_room(job: Job) -> None:
    """Its log has each of its lines once, up to where it ends."""
    status = job.wait(60)
    ticks = [line.rpartition(" ")[2] for line in job.follow() if " INFO tick " in line]
    assert ticks == [str(n) for n in range(1, len(ticks) + 1)] and len(ticks) >= 3
    if status != "Succeed":
        assert status == "Failed" and "there is no room left on the disk of" in job.history()["errDesc"]


def test_a_work_folder_without_room(home: Path, begin: Start, tmp_path: Path) -> None:
    with small_disk(home / "node", 8):
        gate = tmp_path / "gate"
        service = begin("--stop-engines", **SETTINGS)
        job = service.admin.submit(TICKS.format(gate=gate), engine="shell-1")
        eventually(lambda: any("tick 3" in line for line in job.log()), "it runs")
        silent = service.admin.submit("echo begun; sleep 600", engine="shell-1")
        eventually(lambda: any(line.endswith("INFO begun") for line in silent.log()), "it runs")
        with filled(home / "node"):
            waiting = shell_job(service, "echo waited", executeOnce="")  # no engine that has become free will do
            folder = home / "node" / "engines"
            told = f"The engine is starting: there is no room left on the disk of {folder}"
            eventually(lambda: any(told in line for line in waiting.log()), "it says what it waits for")
            kill_engine_of(home, silent)
            eventually(lambda: has_ended(home, job), "its engine cannot write down what it says")
            eventually(lambda: has_ended(home, silent), "its engine was killed")
        assert job.wait(60) == "Failed"
        assert "there is no room left on the disk of" in job.history()["errDesc"]
        whole_or_failed_for_want_of_room(job)
        assert silent.wait(60) == "Failed"
        assert silent.history()["errDesc"].startswith("the engine ended while the job ran: ")
        assert silent.log()[-1].endswith("completed with a status Failed. You can view logs for the reason.")
        assert waiting.wait(60) == "Succeed" and tables(waiting) == [[["waited"]]]
        settled(home)
        assert stop(service) == 0
        gone(home)


def kill_engine_of(home: Path, job: Job) -> None:
    ((engine,),) = rows(home, f"SELECT engine_id FROM headgate_engine WHERE job_id = {job.id}")
    for process in processes_of(home):
        if any(str(engine) in argument for argument in process.cmdline()):
            process.kill()


def has_ended(home: Path, job: Job) -> bool:
    """Whether the engine that the job holds has ended."""
    held = f"SELECT status FROM headgate_engine WHERE job_id = {job.id}"
    return rows(home, held) in ([], [("Ended",)])


def test_a_storage_root_without_room(home: Path, begin: Start, tmp_path: Path) -> None:
    with small_disk(tmp_path / "storage", 2) as storage:
        service = begin("--stop-engines", HEADGATE_STORAGE=f"file://{storage}", **SETTINGS)
        with filled(storage):
            refused_for_want_of_room(submit(service, LONG), storage)
            assert service.admin.jobs() == []
            job = service.admin.submit("for n in 1 2 3; do echo tick $n; done", engine="shell-1")
            eventually(lambda: any("Congratulations" in line for line in job.log()), "it has come to its end")
            eventually(lambda: not list(storage.rglob("*.part")), "what did not fit does not stay")
            assert job.status() == "Running", "until its log and results are where they belong"
        assert job.wait(60) == "Succeed"
        whole_or_failed_for_want_of_room(job)
        assert tables(job) == [[["tick 1"], ["tick 2"], ["tick 3"]]]
        settled(home)
        assert list(storage.rglob("*.part")) == [] and not list(storage.rglob("code"))
        assert stop(service) == 0
        gone(home)
