"""Backing up a running service and restoring it elsewhere, with the very commands of the operations page."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
from pathlib import Path

from headgate import Job

from tests.conftest import ROOT, Service, start, stop
from tests.support.jobs import eventually

PAGE = (ROOT / "docs" / "operations.md").read_text()
SHELL = "shell-1"


def commands(heading: str) -> list[str]:
    """The shell commands under a heading of the page."""
    return re.findall(r"```sh\n(.*?)```", PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0], re.S)


def perform(command: str, **places: Path) -> None:
    named = {"HEADGATE_HOME" if name == "home" else name.upper(): str(path) for name, path in places.items()}
    subprocess.run(["sh", "-ec", command], env={"PATH": os.environ["PATH"]} | named, check=True, timeout=60)


def begin(home: Path, **settings: str) -> Service:
    more = {"HEADGATE_ENGINES": "shell", "HEADGATE_LEASE_SECONDS": "2", "HEADGATE_TENANT_RUNNING_JOBS": "1"}
    return start(home, "--stop-engines", **more | settings)


def told(job: Job) -> tuple[list[list[list[str | None]]], list[str], str]:
    return [list(result.rows()) for result in job.results()], job.log(), str(job.history()["status"])


def test_a_back_up_of_a_running_service_goes_on_elsewhere(tmp_path: Path) -> None:
    old, new, backup = tmp_path / "old", tmp_path / "new", tmp_path / "backup"
    service = begin(old)
    ended = service.admin.submit("echo one; echo two", engine=SHELL)
    long = service.admin.submit("echo three # " + 60_000 * "x", engine=SHELL)
    assert (ended.wait(60), long.wait(60)) == ("Succeed", "Succeed")
    running = service.admin.submit("echo begin; sleep 600", engine=SHELL)
    eventually(lambda: bool(list(running.results())), "it runs and has published")
    queued = service.admin.submit("echo queued", engine=SHELL)
    (old / "workspace" / "admin").mkdir(parents=True, exist_ok=True)
    (old / "workspace" / "admin" / "mine.txt").write_text("mine")
    (back_up,) = commands("Back up")
    perform(back_up, home=old, backup=backup)
    later = service.admin.submit("echo later", engine=SHELL)
    before = [told(service.admin.job(job.id)) for job in (ended, long)]
    assert running.status() == "Running", "nothing was disturbed"
    assert stop(service) == 0

    restore, move = commands("Restore")
    perform(restore, home=new, backup=backup)
    perform(move, home=new, old_home=old)
    service = begin(new)
    assert [told(service.admin.job(job.id)) for job in (ended, long)] == before
    failed = service.admin.job(running.id)
    assert failed.wait(60) == "Failed"
    assert "engine" in failed.history()["errDesc"] and "Failed" in failed.log()[-1]
    assert service.admin.job(queued.id).wait(60) == "Succeed"
    assert (new / "workspace" / "admin" / "mine.txt").read_text() == "mine"
    fresh = service.admin.submit("echo fresh", engine=SHELL)
    assert (fresh.wait(60), list(next(fresh.results()).rows())) == ("Succeed", [["fresh"]])
    assert {job["taskID"] for job in service.admin.jobs()} == {ended.id, long.id, running.id, queued.id, fresh.id}
    assert fresh.id == later.id, "what came after the back-up is unknown"
    assert stop(service) == 0
    assert (new.stat().st_mode & 0o777, (new / "credentials.json").stat().st_mode & 0o777) == (0o700, 0o600)
    with sqlite3.connect(new / "headgate.db") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
