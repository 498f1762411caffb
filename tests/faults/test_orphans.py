"""What a crash left is found by the next start, and nothing that is somebody else's is touched."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import Start, kill, stop
from tests.support.jobs import eventually
from tests.support.leftovers import gone, processes_of, settled

FAKE = {"HEADGATE_ENGINE_MODULES": "shell=tests.support.fake_engine"}


@contextmanager
def sleeper(**environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a session of its own, with this in its environment."""
    argv = [sys.executable, "-c", "import time; time.sleep(600)"]
    process = subprocess.Popen(argv, env=os.environ | environment, start_new_session=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_processes_without_an_entry_are_ended_and_no_others(begin: Start, home: Path, temporary: Path) -> None:
    first = begin(**FAKE)
    job = first.admin.submit("child\nlog INFO begun\nsleep 600", engine="shell-1")
    eventually(lambda: any(line.endswith("INFO begun") for line in job.log()), "it runs")
    kill(first)
    family = processes_of(home)
    assert len(family) == 5, "the shim, the connection, the engine, its task, the child of that"
    shutil.rmtree(home / "node")  # with it goes all that is known of them
    mark, elsewhere = {"HEADGATE_ENGINE_ID": "ours"}, {"HEADGATE_ENGINE_NODE": f"{home}-other/node"}
    with sleeper(**mark, **elsewhere) as other, sleeper(**mark) as unmarked:
        with sleeper(**mark, HEADGATE_ENGINE_NODE=str(home / "node")) as lost:
            second = begin("--stop-engines", **FAKE)
            assert lost.wait(10) == -9
        eventually(lambda: not any(one.is_running() and one.status() != "zombie" for one in family), "all are gone")
        assert other.poll() is None and unmarked.poll() is None
    job = second.admin.job(job.id)
    assert job.wait(40) == "Failed" and "is unknown on this node" in job.history()["errDesc"], "it may have run"
    settled(home)
    assert stop(second) == 0
    gone(home, temporary)


def test_half_written_files_and_stale_sockets_go(begin: Start, home: Path, temporary: Path) -> None:
    first = begin(**FAKE)
    job = first.admin.submit("log INFO begun\nsleep 600", engine="shell-1")
    eventually(lambda: any(line.endswith("INFO begun") for line in job.log()), "it runs")
    kill(first)
    (folder,) = (home / "node" / "engines").iterdir()
    sockets = next(path for path in (temporary, home) for path in path.rglob(f"{folder.name}.sock")).parent
    upload = home / "workspace" / "admin" / "folder" / ".upload-0123456789abcdef"
    upload.parent.mkdir(parents=True)
    kept = upload.with_name("upload-kept")
    half_written = [upload, home / "node" / ".ledger.jsonl", folder / ".state.json"]
    for path in (*half_written, kept):
        path.write_text("{")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(sockets / "1ggaold00000.sock"))

    second = begin("--stop-engines", **FAKE)
    eventually(lambda: not any(path.exists() for path in half_written), "all are removed")
    assert kept.exists() and [path.stem for path in sockets.glob("1*.sock")] == [folder.name]
    job = second.admin.job(job.id)
    assert job.status() == "Running"
    job.kill()
    assert job.wait(40) == "Cancelled"
    settled(home)
    assert stop(second) == 0
    gone(home, temporary)
