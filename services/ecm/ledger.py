"""What runs on this node, on disk: saved after each stage, read at start."""

from __future__ import annotations

import json
import logging
import os
import shutil
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

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
    """A task that was handed to the engine, and where its results go."""

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
    traceparent: str = ""
    """The step of a trace that it is launched for."""
    tasks: dict[str, TaskEntry] = field(default_factory=dict)


KEPT = 500
"""Tombstones, epochs and closed tasks that are kept; calls that come later than as many others are not expected."""


class Ledger:
    """`engines/<id>/state.json` for each engine; `ledger.json` for what outlives engines, so that late calls are
    refused: engines that were terminated, the highest epoch of each job, tasks that are closed. What cannot be written
    for want of room raises Unavailable, and is asked for again."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "engines").mkdir(parents=True, exist_ok=True)
        self.engines: dict[str, EngineEntry] = {}
        self.terminated: dict[str, bool] = {}
        self.closed: dict[str, bool] = {}
        self.epochs: dict[str, int] = {}
        self._read()

    def folder(self, engine_id: str) -> Path:
        return self.home / "engines" / engine_id

    def save(self, entry: EngineEntry) -> None:
        """Keep an engine's entry; whole or not at all."""
        _write(self.folder(entry.engine_id) / "state.json", asdict(entry))
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
        self.terminated[engine_id] = True
        self.closed |= dict.fromkeys(tasks, True)
        self._save_shared()

    def close(self, task: str) -> None:
        """Refuse to hand this task over from now on."""
        self.closed[task] = True
        self._save_shared()

    def raise_epoch(self, job_id: int, epoch: int) -> bool:
        """Whether `epoch` is at least the highest seen for the job, which it then is."""
        known = self.epochs.get(str(job_id), 0)
        if epoch > known:
            self.epochs[str(job_id)] = epoch
            try:
                self._save_shared()
            except Unavailable:
                self.epochs[str(job_id)] = known
                raise
        return epoch >= known

    def _save_shared(self) -> None:
        for kept in (self.terminated, self.closed, self.epochs):
            while len(kept) > KEPT:
                del kept[next(iter(kept))]
        content = {"terminated": self.terminated, "closed": self.closed, "epochs": self.epochs}
        _write(self.home / "ledger.json", content)

    def _read(self) -> None:
        for temporary in (*self.home.glob(".*.json"), *self.home.glob("engines/*/.*.json")):
            temporary.unlink()  # written in part only
        shared = _load(self.home / "ledger.json")
        self.terminated = dict(shared.get("terminated", {}))
        self.closed = dict(shared.get("closed", {}))
        self.epochs = {job: int(epoch) for job, epoch in shared.get("epochs", {}).items()}
        for folder in (self.home / "engines").iterdir():
            if not (
                folder / "state.json"
            ).exists():  # a crash before anything was started in it, or while it was removed
                shutil.rmtree(folder, ignore_errors=True)
                continue
            kept = _load(folder / "state.json")
            if kept:
                tasks = {name: TaskEntry(**task) for name, task in kept.pop("tasks").items()}
                entry = EngineEntry(**{**kept, "stage": Stage(kept["stage"]), "tasks": tasks})
                self.engines[entry.engine_id] = entry


def _load(path: Path) -> dict:  # type: ignore[type-arg]  # JSON of our own making
    try:
        return json.loads(path.read_text())  # type: ignore[no-any-return]
    except (OSError, ValueError):
        return {}


def _write(path: Path, content: object) -> None:
    temporary = path.with_name(f".{path.name}")
    faults.reach("before ledger")
    with disk.told(path.parent):
        try:
            with temporary.open("w") as file:
                json.dump(content, file)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
    faults.reach("after ledger")
