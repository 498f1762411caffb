"""A new start on the same home: after a reboot, and after an hour in which nobody was there."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from headgate import Job

from tests.conftest import Service, Start, kill, stop
from tests.support.jobs import eventually
from tests.support.leftovers import gone, processes_of, rows, settled
from tests.support.machines import another_boot

SHELL = "shell-1"
LIMITS = {"HEADGATE_TENANT_RUNNING_JOBS": "3", "HEADGATE_TENANT_ENGINES": "3", "HEADGATE_LEASE_SECONDS": "2"}
FAKE = {"HEADGATE_ENGINE_MODULES": "shell=tests.support.fake_engine"}
RESTARTED = "the machine was restarted"


def switched_off(service: Service, home: Path) -> None:
    """Everything ends at the same moment, as when the power goes."""
    kill(service)
    for process in processes_of(home):
        with suppress(psutil.Error):
            process.kill()
    eventually(lambda: not processes_of(home), "all are gone")


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process of somebody else's, leader of its own session."""
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def test_after_a_reboot_what_ran_has_failed_and_what_waited_runs(
    begin: Start, home: Path, temporary: Path, tmp_path: Path, stranger: subprocess.Popen[bytes]
) -> None:
    first = begin(**LIMITS)
    running = [first.admin.submit("echo begun; sleep 600", engine=SHELL) for _ in range(3)]
    for job in running:
        eventually(lambda job=job: any(line.endswith("INFO begun") for line in job.log()), "it runs")
    waiting = first.admin.submit("echo later", engine=SHELL)
    eventually(lambda: any("Waiting for an engine" in line for line in waiting.log()), "it waits")
    switched_off(first, home)
    # the numbers that engines had belong to others after a reboot, if need be down to the tick of their start
    state = next(home.glob("node/engines/*/state.json"))
    started = int(Path(f"/proc/{stranger.pid}/stat").read_text().rpartition(")")[2].split()[19])
    state.write_text(json.dumps({**json.loads(state.read_text()), "pid": stranger.pid, "started": started}))

    second = begin("--stop-engines", boot=another_boot(tmp_path), **LIMITS)
    for job in (second.admin.job(job.id) for job in running):
        assert job.wait(30) == "Failed"
        assert job.history()["errDesc"] == f"the engine ended while the job ran: {RESTARTED}"
        log = [line.partition(" INFO ")[2] for line in job.log()]
        assert log.count("begun") == 1
    assert second.admin.job(waiting.id).wait(30) == "Succeed"
    ended = rows(home, f"SELECT count(*) FROM headgate_engine WHERE status = 'Ended' AND why = '{RESTARTED}'")
    assert ended == [(3,)]
    settled(home)
    assert stop(second) == 0
    gone(home, temporary)
    assert stranger.poll() is None, "it is not ours to end"


@pytest.mark.parametrize("reboot", [True, False])
def test_a_job_whose_engine_started_when_all_ended_gets_it_anew(
    begin: Start, home: Path, temporary: Path, tmp_path: Path, reboot: bool
) -> None:
    first = begin(HEADGATE_ENGINE_FAKE_OPEN="log INFO opening\nsleep 600", **FAKE)
    job = first.admin.submit("rows 3", engine=SHELL)
    eventually(lambda: any("The engine is starting: opening" in line for line in job.log()), "it starts")
    switched_off(first, home)
    second = begin("--stop-engines", boot=another_boot(tmp_path) if reboot else None, **FAKE)
    assert second.admin.job(job.id).wait(40) == "Succeed"
    settled(home)
    assert stop(second) == 0
    gone(home, temporary)


HOUR = {
    "HEADGATE_ENGINE_ALONE_SECONDS": "1", "HEADGATE_ENGINE_IDLE_SECONDS": "1", "HEADGATE_ENGINE_START_SECONDS": "6",
    "HEADGATE_LEASE_SECONDS": "1", "HEADGATE_TENANT_RUNNING_JOBS": "3", "HEADGATE_TENANT_ENGINES": "3",
}  # fmt: skip
"""Every time that passes in an hour without a service passes within `HOUR_SECONDS`."""
HOUR_SECONDS = 7


def test_an_hour_without_the_service_loses_nothing(begin: Start, home: Path, temporary: Path, tmp_path: Path) -> None:
    gate, ran = tmp_path / "gate", tmp_path / "ran"
    first = begin(**HOUR)
    ticking = f"echo x >> {ran}; n=0; while [ ! -e {gate} ]; do n=$((n+1)); echo tick $n; sleep 0.2; done; echo last"
    on = first.admin.submit(ticking, engine=SHELL)
    meanwhile = first.admin.submit(
        f"echo x >> {ran}; for n in 1 2 3 4 5 6; do echo part $n; sleep 0.5; done", engine=SHELL
    )
    for job in (on, meanwhile):
        eventually(lambda job=job: job.status() == "Running" and len(job.log()) > 6, "it runs")
    third = first.admin.submit("sleep 1; echo third", engine=SHELL)
    waiting = first.admin.submit("echo waited", engine=SHELL)
    eventually(lambda: third.status() == "Running", "it runs")
    eventually(lambda: any("Waiting for an engine" in line for line in waiting.log()), "it waits")
    kill(first)
    time.sleep(HOUR_SECONDS)  # what is to be shown is that this much time does no harm

    hold = tmp_path / "headgate.manager.v1.Manager.RequestEngine"
    hold.touch()
    second = begin("--stop-engines", HEADGATE_HOLD=str(tmp_path), **HOUR)
    held = f"SELECT status FROM headgate_engine WHERE job_id = {meanwhile.id}"
    eventually(lambda: rows(home, held) == [("Ended",)], "its engine was alone for too long")
    hold.unlink()  # so that its job learns of it first
    assert ended(second, meanwhile) == [f"part {n}" for n in range(1, 7)]
    assert ended(second, third) == ["third"] and ended(second, waiting) == ["waited"]
    assert second.admin.job(on.id).status() == "Running"
    gate.touch()
    said = ended(second, on)
    assert said == [*(f"tick {n}" for n in range(1, len(said))), "last"] and len(said) > HOUR_SECONDS
    assert ran.read_text() == "x\nx\n", "each ran once"
    settled(home)
    assert stop(second) == 0
    gone(home, temporary)


def ended(service: Service, job: Job) -> list[str]:
    """What a job of the earlier service said, in its log and in its result alike, each line once."""
    job = service.admin.job(job.id)
    assert job.wait(40) == "Succeed", "\n".join(job.log())
    (result,) = job.results()
    lines = [str(row[0]) for row in result.rows()]
    logged = [line.partition(" INFO ")[2] for line in job.follow()]
    assert [line for line in logged if line.partition(" ")[0] in {"tick", "part", "third", "waited", "last"}] == lines
    return lines


def test_a_job_whose_engine_has_closed_itself_before_the_task_came_gets_another(
    begin: Start, home: Path, temporary: Path
) -> None:
    first = begin(HEADGATE_FAULT="before /headgate.ecm.v1.Ecm/RunTask#1", **HOUR)
    job = first.admin.submit("echo once", engine=SHELL)
    assert first.process.wait(30) == -signal.SIGKILL
    eventually(lambda: not processes_of(home), "the engine, alone for too long, has ended")
    second = begin("--stop-engines", **HOUR)
    assert ended_once(second.admin.job(job.id)) == ["once"]
    settled(home)
    assert stop(second) == 0
    gone(home, temporary)


def ended_once(job: Job) -> list[str]:
    assert job.wait(40) == "Succeed", "\n".join(job.log())
    return [line.partition(" INFO ")[2] for line in job.log() if line.endswith(" INFO once")]


STREAM = """CREATE TABLE g (id INT) WITH ('connector'='datagen', 'rows-per-second'='5');
CREATE TABLE b (id INT) WITH ('connector'='blackhole'); INSERT INTO b SELECT * FROM g"""


def test_a_stream_on_flink_runs_through_an_hour_without_the_service(begin: Start, home: Path, temporary: Path) -> None:
    more = HOUR | {"HEADGATE_ENGINES": "flink", "HEADGATE_ENGINE_START_SECONDS": "120"}
    first = begin(**more)
    job = first.admin.submit(STREAM)
    eventually(lambda: any("INITIALIZING to RUNNING" in line for line in job.log()), "it runs", 120)
    before = job.log()
    kill(first)
    time.sleep(HOUR_SECONDS)

    second = begin("--stop-engines", **more)
    job = second.admin.job(job.id)
    eventually(lambda: len(job.log()) >= len(before), "its log is read")
    assert job.status() == "Running" and job.log()[: len(before)] == before
    eventually(lambda: job.progress().fraction < 1 and runs(job), "its tasks run")
    job.kill()
    assert job.wait(40) == "Cancelled"
    started = [sum("INITIALIZING to RUNNING" in line for line in lines) for lines in (before, job.log())]
    assert started[0] == started[1], "nothing was started twice"
    settled(home)
    assert stop(second) == 0
    gone(home, temporary)


def runs(job: Job) -> bool:
    """Whether Flink says that each of its tasks runs."""
    told = job.progress().steps
    return bool(told) and all(vertex["runningTasks"] == vertex["totalTasks"] for vertex in told)
