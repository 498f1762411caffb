"""What must hold once every job has ended, and once the service has; looked for in rows, processes and folders."""

from __future__ import annotations

import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import psutil

FINAL = "('Succeed', 'Failed', 'Cancelled', 'Timeout')"
HALF_WRITTEN = (".part", ".tmp", ".upload-*", ".state.json", ".ledger.jsonl", ".connection", ".schema", ".credentials*")


def settled(home: Path, seconds: float = 40) -> None:
    """Every job has ended exactly once; nothing is held, left or half written; engines and their rows are the same."""
    _until_none(lambda: [*_rows(home), *_engines(home), *_files(home)], seconds)


def gone(home: Path, *temporary: Path) -> None:
    """The service has ended: no process, no socket, nothing in the folders for temporary files."""

    def left() -> list[str]:
        sockets = [str(path) for path in home.rglob("*") if stat.S_ISSOCK(path.lstat().st_mode)]
        others = [str(path) for folder in temporary for path in folder.iterdir()]
        return [*(" ".join(_command(process)) for process in processes_of(home)), *sockets, *others, *_files(home)]

    _until_none(left, 15)


def processes_of(home: Path) -> list[psutil.Process]:
    """Engine connections and what they run: by the home's path in their commands, or by the node's mark."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            named = any(str(home) in argument for argument in process.cmdline())
            if process.status() != psutil.STATUS_ZOMBIE and (named or _engine_of(process, home)):
                found.append(process)
    return found


def rows(home: Path, query: str) -> list[tuple[object, ...]]:
    """What the database says, read beside the service."""
    with closing(sqlite3.connect(f"file:{home}/headgate.db?mode=ro", uri=True)) as db:
        return db.execute(query).fetchall()


def _rows(home: Path) -> Iterator[str]:
    for what, query in {
        "live row of job": "SELECT job_id FROM headgate_job_live",
        "request of job": "SELECT job_id, state FROM headgate_engine_request WHERE state != 'RELEASED'",
        "engine held": "SELECT engine_id, job_id FROM headgate_engine WHERE job_id IS NOT NULL AND status != 'Ended'",
        "open job": f"SELECT id, status FROM linkis_ps_job_history_group_history WHERE status NOT IN {FINAL}",
        "job that did not end once": (
            "SELECT g.id, count(e.id) FROM linkis_ps_job_history_group_history g LEFT JOIN headgate_job_event e "
            f"ON e.job_id = g.id AND e.to_status IN {FINAL} AND e.from_status != e.to_status "
            "GROUP BY g.id HAVING count(e.id) != 1"
        ),
    }.items():
        yield from (f"{what} {row}" for row in rows(home, query))


def _engines(home: Path) -> Iterator[str]:
    """A process without a row, and a row without a process."""
    wanted = {row[0] for row in rows(home, "SELECT engine_id FROM headgate_engine WHERE status != 'Ended'")}
    running = {engine for process in psutil.process_iter() if (engine := _engine_of(process, home))}
    yield from (f"engine {engine} has only a {'row' if engine in wanted else 'process'}" for engine in wanted ^ running)


def _files(home: Path) -> Iterator[str]:
    yield from (f"task folder {path}" for path in home.glob("node/engines/*/tasks/*"))
    for path in home.rglob("*"):
        parts = path.relative_to(home).parts
        if any(path.match(f"*{name}") for name in HALF_WRITTEN) and "work" not in parts[:4]:
            yield f"half-written {path}"


def _engine_of(process: psutil.Process, home: Path) -> str:
    with suppress(psutil.Error):
        environment = process.environ()
        if environment.get("HEADGATE_ENGINE_NODE") == str(home / "node"):
            return environment["HEADGATE_ENGINE_ID"]
    return ""


def _command(process: psutil.Process) -> list[str]:
    with suppress(psutil.Error):
        return process.cmdline()
    return []


def _until_none(look: Callable[[], list[str]], seconds: float) -> None:
    until = time.monotonic() + seconds
    while True:
        with suppress(FileNotFoundError):  # what goes while it is looked at
            if not (found := look()):
                return
            assert time.monotonic() < until, found
        time.sleep(0.2)
