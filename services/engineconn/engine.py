"""The seam between an engine connection and the engine it drives.

An engine is opened once, runs one task at a time and is closed. Adding a kind of engine is adding a folder whose
`engine.py` offers `create() -> Engine`; nothing else in this service names the kind.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol, runtime_checkable

import pyarrow as pa

from commons.process import telemetry
from commons.process.masking import NONE, Secrets


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """What an engine connection is asked to open. `memory` is in bytes; `settings` are the kind's own."""

    engine_id: str
    kind: str
    version: str
    user: str
    creator: str
    cores: float
    memory: int
    workspace: Path
    """The tenant's own folder: relative paths in the user's code lie here."""
    engines_home: Path
    """Where engine files are kept, shared by all engine connections of the node."""
    state: Path = Path()
    """The tenant's folder for what outlives engines: savepoints and checkpoints."""
    settings: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    """All that the engine was asked for by: its form and size beside kind and version."""


@dataclass(frozen=True, slots=True)
class Task:
    """One attempt of one job. `configuration` is the user's runtime configuration, text to text."""

    job_id: int
    attempt: int
    code: str
    run_type: str
    configuration: Mapping[str, str] = field(default_factory=dict)
    secrets: Secrets = NONE
    """What the job's log, events and errors must not tell; an engine that cuts a text masks it first."""
    artifacts: Mapping[str, Path] = field(default_factory=dict)
    """Files that the job uses, by the name it gives them."""
    resume: str = ""
    """The path of the `Savepoint` that the task goes on from; empty: from the beginning."""


class Outcome(StrEnum):
    """How a statement or a task ended."""

    SUCCEED = "Succeed"
    FAILED = "Failed"
    CANCELLED = "Cancelled"


class SavepointKind(StrEnum):
    """How a savepoint came to be."""

    SAVEPOINT = "savepoint"
    """Asked for, while the job goes on."""
    SUSPEND = "suspend"
    """The job was stopped with it."""
    CHECKPOINT = "checkpoint"
    """The engine's newest, of a job that failed."""


@dataclass(frozen=True, slots=True)
class StatementStarted:
    """Statement `statement` (from 0) of `statements` is about to be given to the engine under `engine_job_id`.

    It is journalled before the engine is asked, so that a crash in between is healed by looking the id up.
    """

    statement: int
    statements: int
    text: str
    engine_job_id: str = ""


@dataclass(frozen=True, slots=True)
class Vertex:
    """One step of the engine's own plan, counted in the engine's tasks."""

    id: str
    name: str
    succeeded: int
    failed: int
    running: int
    total: int


@dataclass(frozen=True, slots=True)
class Progress:
    """The whole task's progress, 0.0 to 1.0, and the vertices of the statement that runs."""

    fraction: float
    vertices: tuple[Vertex, ...] = ()


@dataclass(frozen=True, slots=True)
class ResultOpened:
    """A result set begins; an empty one is opened too. The next `Rows` belong to it."""

    statement: int
    schema: pa.Schema


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of the result set opened last."""

    batch: pa.RecordBatch


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the task's log: INFO, WARN or ERROR; `at_ms` is the engine's own time (epoch ms), else now."""

    level: str
    text: str
    at_ms: int | None = None
    mark: tuple[str, int] | None = None
    """A log of the engine's own and where in it this line ends, if `adopt` shall go on from there."""


@dataclass(frozen=True, slots=True)
class StatementEnded:
    """A statement's end; `metrics` are the engine's counters for it (rows or bytes, by name)."""

    statement: int
    outcome: Outcome
    metrics: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Savepoint:
    """A state of the job that another one may go on from; `path` is the engine's own word for it.

    What it stands for lies under `EngineSpec.state`, and outlives the engine.
    """

    statement: int
    kind: SavepointKind
    path: str


@dataclass(frozen=True, slots=True)
class TaskEnded:
    """The last event of a task. `code` and `message` say why when it did not succeed."""

    outcome: Outcome
    code: int = 0
    message: str = ""


Event = StatementStarted | Progress | ResultOpened | Rows | LogLine | StatementEnded | Savepoint | TaskEnded


class Engine(Protocol):
    """One engine: opened once, one task at a time, closed once."""

    async def open(self, spec: EngineSpec, workdir: Path, say: Callable[[str], None]) -> None:
        """Bring the engine up; `say` tells the progress of long work, such as a download, in a line a user can read.

        Raises `commons.process.errors.HeadgateError` with a reason that names the fix. Leaves nothing behind then.
        """

    def run(self, task: Task) -> AsyncIterator[Event]:
        """Run a task and yield its events; the last one is always `TaskEnded`. Never raises for the user's errors."""

    async def cancel(self, task: Task) -> None:
        """Ask the running task to stop; `run` then ends with `Outcome.CANCELLED`. Harmless when nothing runs."""

    async def died(self) -> str:
        """Return, with the reason, when the engine behind this connection is gone; otherwise wait."""

    async def close(self) -> None:
        """Stop the engine and everything it started. May be called at any time, more than once."""


@runtime_checkable
class Adopts(Protocol):
    """An optional power: what the engine runs goes on when this process dies, and the next one takes it up.

    `open` then finds in its `workdir` what the connection before left, and uses what of it is still alive.
    """

    def adopt(self, task: Task, begun: StatementStarted, marks: Mapping[str, int]) -> AsyncIterator[Event]:
        """Go on with a task that the connection before ran, as `run` does, from the statement that had begun.

        What was said before is not said again: `marks` are those of the last lines that are kept. A task that cannot
        be gone on with ends as Failed (ENGINE_LOST), and nothing of it goes on.
        """


@runtime_checkable
class Operations(Protocol):
    """An optional power: an engine whose running task can be asked for more than to stop."""

    async def operate(self, task: Task, operation: str, parameters: Mapping[str, str]) -> Mapping[str, str]:
        """Do it with the running task, and say what came of it.

        `savepoint` and `suspend` yield a `Savepoint` from `run` before they return its `path`; after `suspend`, `run`
        ends with `Outcome.SUCCEED`. Raises Invalid for an operation that the engine or this task does not have,
        Conflict when the task is not in a state for it, and Unavailable when the engine fails to do it.
        """


_FETCHING = ("PIP_", "MAVEN_", "HEADGATE_MAVEN_")


def environment() -> dict[str, str]:
    """What an engine's own processes inherit: not the settings of pip and Maven, which may hold passwords.

    TRACEPARENT is the place in a trace: of the task that runs, or of the engine's launch.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FETCHING)}
    place = telemetry.traceparent()
    return {**kept, "TRACEPARENT": place} if place else kept
