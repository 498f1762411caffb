"""What runs on this node, on disk: saved after each stage, read at start."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from io import FileIO
from pathlib import Path
from typing import Any

from commons.process import disk, faults
from commons.process.errors import Unavailable

log = logging.getLogger(__name__)


class Stage(StrEnum):
    """How far an engine's life here is."""

    CREATED = "created"
    """Its folder exists; nothing was started yet."""
    SPAWNED = "spawned"
    """Its process runs and opens the engine."""
    READY = "ready"
    """It takes tasks."""
    ENDED = "ended"
    """Its process is gone."""


@dataclass(slots=True)
class TaskEntry:
    """A task that was handed to an engine, and where its results go."""

    engine_id: str
    location: str


@dataclass(slots=True)
class EngineEntry:
    """One engine on this node. `started` is the process's start time in clock ticks since `boot`."""

    engine_id: str
    stage: Stage = Stage.CREATED
    why: str = ""
    pid: int = 0
    started: int = 0
    boot: str = ""
    started_at_ms: int = 0
    ended_at_ms: int = 0
    lives: int = 1
    """Connections it has had, this one too."""
    traceparent: str = ""
    """The step of a trace that it is launched for."""
    tasks: dict[str, TaskEntry] = field(default_factory=dict)
    """Those that are not closed; kept line by line, since each job has one."""


KEPT = 5000
"""Tombstones, epochs and closed tasks that are kept; calls that come later than as many others are not expected."""


LONGEST = 2 * KEPT
"""Lines of the file that grows, before it is written anew."""


class Ledger:
    """`engines/<id>/state.json` for each engine, written whole; in `ledger.jsonl` a line for whatever comes with a job
    (tasks handed over and closed) or outlives engines, so that late calls are refused: engines that were terminated,
    the highest epoch of each job, tasks that are closed. What cannot be written for want of room raises Unavailable,
    and is asked for again.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "engines").mkdir(parents=True, exist_ok=True)
        self.engines: dict[str, EngineEntry] = {}
        self.terminated: dict[str, bool] = {}
        self.closed: dict[str, bool] = {}
        self.epochs: dict[str, int] = {}
        self._tasks: dict[str, TaskEntry] = {}
        self._lines = self._durable = 0
        self._turn = asyncio.Lock()
        self._path = home / "ledger.jsonl"
        self._read()

    def folder(self, engine_id: str) -> Path:
        return self.home / "engines" / engine_id

    def save(self, entry: EngineEntry) -> None:
        """Keep an engine's entry; whole or not at all."""
        content = asdict(entry)
        del content["tasks"]
        _write(self.folder(entry.engine_id) / "state.json", json.dumps(content))
        self.engines[entry.engine_id] = entry

    def note(self, entry: EngineEntry) -> None:
        """Keep what the next start would find out by itself: without room it is not written down."""
        try:
            self.save(entry)
        except Unavailable as error:
            log.warning("engine %s: what became of it is not on disk: %s", entry.engine_id, error)

    def forget(self, engine_id: str) -> None:
        self.engines.pop(engine_id, None)

    def bury(self, engine_id: str, *tasks: str) -> None:
        """Refuse a later create of this id, and to hand these tasks over."""
        self._append(terminated=[engine_id], closed=tasks)
        self._sync()

    def hand_over(self, name: str, task: TaskEntry) -> None:
        """The task is its engine's; once that is `synced`, the engine may be asked."""
        self._append(tasks={name: asdict(task)})

    def take_back(self, name: str) -> None:
        """The engine does not take the task; it may be handed over again."""
        self._append(taken_back=[name])

    def close(self, name: str) -> None:
        """Refuse to hand this task over from now on."""
        self._append(closed=[name])

    def raise_epoch(self, job_id: int, epoch: int) -> bool:
        """Whether `epoch` is at least the highest seen for the job, which it then is."""
        known = self.epochs.get(str(job_id), 0)
        if epoch > known:
            self._append(epochs={str(job_id): epoch})
        return epoch >= known

    async def synced(self) -> None:
        """Return when all that was said so far is on disk; those who ask at once share the disk's work."""
        wanted = self._lines
        async with self._turn:
            if self._durable < wanted:
                upto = self._lines
                await asyncio.to_thread(self._sync)
                self._durable = upto
                if upto > LONGEST:
                    with contextlib.suppress(Unavailable):  # what was said is on disk
                        self._write_anew()
        faults.reach("after ledger")

    def _append(self, **said: object) -> None:
        """Say something more; nothing is said when there is no room."""
        faults.reach("before ledger")
        line = (json.dumps(said) + "\n").encode()
        with disk.told(self.home), FileIO(self._path, "a") as file:
            before = file.seek(0, os.SEEK_END)
            try:
                if file.write(line) != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                file.truncate(before)
                raise
        self._lines += 1
        self._learn(said)

    def _learn(self, said: Mapping[str, Any]) -> None:
        self.terminated |= dict.fromkeys(said.get("terminated", ()), True)
        for job, epoch in said.get("epochs", {}).items():
            self.epochs.pop(job, None)  # the latest are kept
            self.epochs[job] = epoch
        for name, task in said.get("tasks", {}).items():
            self._tasks[name] = TaskEntry(**task)
            if (engine := self.engines.get(task["engine_id"])) is not None:
                engine.tasks[name] = self._tasks[name]
        self.closed |= dict.fromkeys(said.get("closed", ()), True)
        for name in (*said.get("closed", ()), *said.get("taken_back", ())):
            gone = self._tasks.pop(name, None)
            if gone is not None and gone.engine_id in self.engines:
                self.engines[gone.engine_id].tasks.pop(name, None)
        for kept in (self.terminated, self.closed, self.epochs):
            while len(kept) > KEPT:
                del kept[next(iter(kept))]

    def _sync(self) -> None:
        with disk.told(self.home), self._path.open() as file:
            os.fsync(file.fileno())

    def _write_anew(self) -> None:
        """What is known now, whole or not at all; the file grows from there."""
        tasks = {name: asdict(task) for name, task in self._tasks.items()}
        kinds = {
            "terminated": list(self.terminated),
            "closed": list(self.closed),
            "epochs": self.epochs,
            "tasks": tasks,
        }
        _write(self._path, "".join(json.dumps({kind: content}) + "\n" for kind, content in kinds.items()))
        self._lines = self._durable = 0

    def _read(self) -> None:
        for temporary in (*self.home.glob(".*.jsonl"), *self.home.glob("engines/*/.*.json")):
            temporary.unlink()  # written in part only
        for folder in (self.home / "engines").iterdir():
            if not (
                folder / "state.json"
            ).exists():  # a crash before anything was started in it, or while it was removed
                shutil.rmtree(folder, ignore_errors=True)
                continue
            kept = _load(folder / "state.json")
            if kept:
                entry = EngineEntry(**{**kept, "stage": Stage(kept["stage"])})
                self.engines[entry.engine_id] = entry
        if self._path.exists():
            *lines, _cut_short = self._path.read_bytes().split(b"\n")
            for line in lines:
                self._learn(json.loads(line))
            self._write_anew()


def _load(path: Path) -> dict:  # type: ignore[type-arg]  # JSON of our own making
    try:
        return json.loads(path.read_text())  # type: ignore[no-any-return]
    except (OSError, ValueError):
        return {}


def _write(path: Path, content: str) -> None:
    temporary = path.with_name(f".{path.name}")
    faults.reach("before ledger")
    with disk.told(path.parent):
        try:
            with temporary.open("w") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
    faults.reach("after ledger")
