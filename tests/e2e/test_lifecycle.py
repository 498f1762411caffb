"""The service as a process: its start, its end, what it leaves behind, and what the next start makes of that."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import psutil
import pytest
from headgate import AsyncClient, Client

from tests.conftest import Service, Start, environment
from tests.support.jobs import eventually
from tests.support.leftovers import gone, processes_of, settled

SHELL = "shell-1"
LONGEST_STOP_SECONDS = 30


def end(service: Service, number: signal.Signals = signal.SIGTERM) -> None:
    """Signal the service; it ends well, in time, and says nothing more."""
    service.process.send_signal(number)
    out, _ = service.process.communicate(timeout=LONGEST_STOP_SECONDS)
    assert service.process.returncode == 0 and not out


def runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE  # whoever adopted it may be slow to bury it
    except psutil.NoSuchProcess:
        return False


def left_behind(folder: Path) -> list[Path]:
    """Sockets and half-made files."""
    return [
        path
        for path in folder.rglob("*")
        if stat.S_ISSOCK(path.lstat().st_mode) or path.suffix in (".tmp", ".part") or path.name == ".credentials.json"
    ]


def holding(folder: Path, *secrets: str) -> list[Path]:
    """Files that hold one of the secrets in plain text."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if any(secret.encode() in path.read_bytes() for secret in secrets)]


def is_ready(service: Service) -> bool:
    return httpx2.get(f"{service.url}/health/ready").status_code == 200


def test_the_first_start_makes_an_administrator_whose_secrets_are_kept_in_one_file(
    begin: Start, home: Path, tmp_path: Path
) -> None:
    home.mkdir(mode=0o755)
    first = begin("--stop-engines")
    assert is_ready(first)
    path = home / "credentials.json"
    kept = json.loads(path.read_text())
    assert list(kept) == ["url", "user", "password", "token"] and kept["user"] == "admin"
    assert path.stat().st_mode & 0o777 == 0o600 and home.stat().st_mode & 0o777 == 0o700
    assert first.admin.submit("echo hi", engine=SHELL).wait(60) == "Succeed"
    with_password = Client(first.url, "admin", password=kept["password"])
    ticket = with_password.credentials.ticket
    with_password.close()
    secrets = kept["password"], kept["token"], ticket
    assert holding(tmp_path, *secrets) == [path]  # the service's own log lies there too
    end(first)
    assert holding(tmp_path, *secrets) == [path]

    second = begin("--stop-engines")
    assert is_ready(second) and second.url != first.url
    assert json.loads(path.read_text()) == kept | {"url": second.url}
    assert path.stat().st_mode & 0o777 == 0o600
    assert [job["status"] for job in second.admin.jobs()] == ["Succeed"]
    Client(second.url, "admin", password=kept["password"]).close()
    end(second)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_service_and_idle_engines_and_leaves_nothing(
    begin: Start, home: Path, temporary: Path, number: signal.Signals
) -> None:
    service = begin()
    assert service.admin.submit("echo hi", engine=SHELL).wait(60) == "Succeed"
    assert processes_of(home) and left_behind(home) + left_behind(temporary)
    settled(home)
    end(service, number)
    gone(home, temporary)
    with pytest.raises(httpx2.ConnectError):
        is_ready(service)


def test_a_running_task_goes_on_and_the_next_start_takes_it_to_its_end(
    begin: Start, home: Path, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    code = f"n=0; while [ ! -e {gate} ]; do n=$((n+1)); echo tick $n; sleep 0.1; done; echo last"
    first = begin()
    job = first.admin.submit(code, engine=SHELL)
    assert any("tick 3" in line for line in job.follow())
    end(first)
    assert processes_of(home)

    second = begin("--stop-engines")
    job = second.admin.job(job.id)
    assert job.status() == "Running"
    seen = len(job.log())
    eventually(lambda: len(job.log()) > seen, "the new process does not follow the old engine")
    gate.touch()
    assert job.wait(60) == "Succeed"
    (result,) = job.results()
    rows = [row[0] for row in result.rows()]
    assert rows == [*(f"tick {number}" for number in range(1, len(rows))), "last"]
    log = list(job.follow())
    assert [line.partition(" INFO ")[2] for line in log if re.search(r" INFO (tick \d+|last)$", line)] == rows
    assert len([line for line in log if "is accepted" in line]) == 1
    assert second.admin.submit("echo again", engine=SHELL).wait(60) == "Succeed"
    settled(home)
    end(second)
    gone(home)


def test_a_job_whose_engine_starts_goes_on_after_a_stop(begin: Start, home: Path, temporary: Path) -> None:
    service = begin(HEADGATE_ENGINE_MODULES="shell=tests.support.fake_engine", HEADGATE_ENGINE_FAKE_OPEN="sleep 2")
    job = service.admin.submit("rows 3", engine=SHELL)
    eventually(lambda: job.status() == "Scheduled", "its engine starts")
    end(service)
    service = begin(HEADGATE_ENGINE_MODULES="shell=tests.support.fake_engine")
    assert service.admin.job(job.id).wait(60) == "Succeed"
    settled(home)
    end(service)
    gone(home, temporary)


def test_another_address_takes_the_jobs_up(begin: Start, home: Path, temporary: Path) -> None:
    service = begin(HEADGATE_PORT=str(free_port()), HEADGATE_LEASE_SECONDS="1")
    job = service.admin.submit("sleep 3; echo done", engine=SHELL)
    eventually(lambda: job.status() == "Running", "it runs")
    end(service)
    service = begin(HEADGATE_PORT=str(free_port()), HEADGATE_LEASE_SECONDS="1")
    assert service.admin.job(job.id).wait(60) == "Succeed"
    settled(home)
    end(service)
    gone(home, temporary)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_who_follows_a_job_follows_it_through_a_new_start(begin: Start, tmp_path: Path, number: signal.Signals) -> None:
    port, gate = str(free_port()), tmp_path / "gate"
    first = begin(HEADGATE_PORT=port)
    code = f"n=0; while [ ! -e {gate} ]; do n=$((n+1)); echo tick $n; sleep 0.1; done; echo last"
    where = {"HEADGATE_URL": first.url, "HEADGATE_USER": first.user, "HEADGATE_TOKEN": first.token}
    command = (sys.executable, "-P", "-m", "headgate", "run", "--engine", SHELL, "-e", code, "-o", "csv")
    with (
        subprocess.Popen(command, env=os.environ | where, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run,
        ThreadPoolExecutor() as threads,
    ):
        eventually(lambda: bool(first.admin.jobs()), "the command submits")
        id, lines = first.admin.jobs()[0]["taskID"], list[str]()
        following = threads.submit(asyncio.run, follow(first, id, lines))
        eventually(lambda: any("tick 3" in line for line in lines), "the lines come")
        first.process.send_signal(number)
        first.process.wait(LONGEST_STOP_SECONDS)
        seen = len(lines)
        second = begin("--stop-engines", HEADGATE_PORT=port)
        eventually(lambda: following.done() or len(lines) > seen + 3, "the lines go on")
        gate.touch()
        assert following.result(60) == "Succeed"
        out, err = (text.decode().splitlines() for text in run.communicate(timeout=60))
    assert run.returncode == 0, err
    whole = list(second.admin.job(id).follow())
    ticks = [line.partition(" INFO ")[2] for line in whole if re.search(r" INFO (tick \d+|last)$", line)]
    assert ticks == [*(f"tick {n}" for n in range(1, len(ticks))), "last"]
    assert lines == whole and out == ["line", *ticks]
    assert [line for line in err if not re.match(r"job \d+ \w+ \d+%$", line)] == whole
    end(second)


async def follow(service: Service, id: int, lines: list[str]) -> str:
    """The job's end; meanwhile its lines as they come."""
    async with AsyncClient(service.url, service.user, service.token) as client, asyncio.TaskGroup() as group:
        waiting = group.create_task(client.job(id).wait())
        async for update in client.job(id).watch():
            lines.extend(update.lines)
    return waiting.result()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_stop_engines_leaves_no_process_and_the_job_learns_why(begin: Start, home: Path, temporary: Path) -> None:
    first = begin("--stop-engines")
    job = first.admin.submit("echo begin; sleep 600 & wait", engine=SHELL)
    assert any(line.endswith("INFO begin") for line in job.follow())
    family = [child for process in processes_of(home) for child in (process, *process.children(recursive=True))]
    end(first)
    assert [process for process in family if runs(process)] == [] and processes_of(home) == []
    assert left_behind(home) == [] and list(temporary.iterdir()) == []

    second = begin("--stop-engines")
    job = second.admin.job(job.id)
    assert job.wait(60) == "Failed"
    assert job.history()["errDesc"] == "the engine was stopped while the job ran"
    assert job.log()[-1].split(" ", 2)[2].startswith("INFO ")
    settled(home)
    end(second)
    gone(home, temporary)


def test_stop_engines_starts_none_for_jobs_that_wait(begin: Start, home: Path, temporary: Path) -> None:
    first = begin("--stop-engines")
    running = [first.admin.submit("echo begin; sleep 600 & wait", engine=SHELL) for _ in range(2)]
    for job in running:
        assert any(line.endswith("INFO begin") for line in job.follow())
    waiting = [first.admin.submit("echo ran", engine=SHELL) for _ in range(3)]
    eventually(lambda: all(any("its limit is 2" in line for line in job.log()) for job in waiting), "they wait")
    end(first)
    assert processes_of(home) == [] and left_behind(home) == []

    second = begin("--stop-engines")
    assert [second.admin.job(job.id).wait(60) for job in (*running, *waiting)] == ["Failed"] * 2 + ["Succeed"] * 3
    settled(home)
    end(second)
    gone(home, temporary)


def test_a_second_process_on_the_same_home_is_refused(begin: Start, home: Path) -> None:
    first = begin("--stop-engines")
    said = refused(home)
    assert f"HEADGATE_HOME={home}" in said and f"process {first.process.pid} " in said
    assert is_ready(first) and json.loads((home / "credentials.json").read_text())["url"] == first.url
    end(first)


@pytest.mark.parametrize(
    ("name", "value", "fix"),
    [
        ("HEADGATE_PORT", "abc", "valid integer"),
        ("HEADGATE_PORT", "{taken}", "choose another HEADGATE_PORT"),
        ("HEADGATE_HOST", "no.such.host.invalid", "choose another HEADGATE_PORT or HEADGATE_HOST"),
        ("HEADGATE_ENGINES", "nope", "there are: flink, seatunnel, shell"),
        ("HEADGATE_HOME", "{file}", "choose a folder"),
        ("HEADGATE_FLINK_HOME", "{file}", "no lib/flink-dist-<version>.jar"),
    ],
)
def test_a_wrong_setting_is_told_in_one_line_and_leaves_nothing(
    home: Path, tmp_path: Path, temporary: Path, name: str, value: str, fix: str
) -> None:
    (tmp_path / "file").touch()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        value = value.format(taken=taken.getsockname()[1], file=tmp_path / "file")
        said = refused(home, **{"TMPDIR": str(temporary), name: value})
    assert name in said and value in said and fix in said
    assert not (home / "credentials.json").exists() and left_behind(home) == [] and list(temporary.iterdir()) == []


def refused(home: Path, **settings: str) -> str:
    """The one line of a service that does not start."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "services"],
        env=environment(home, **{"HEADGATE_ENGINES": "shell"} | settings),
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode in (1, 2) and not done.stdout
    assert done.stderr.startswith("headgate: ") and done.stderr.count(os.linesep) == 1, done.stderr
    return done.stderr
