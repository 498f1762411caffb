"""What a client is told of jobs and results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ENDED = frozenset({"Succeed", "Failed", "Cancelled", "Timeout"})


@dataclass(frozen=True)
class Column:
    """A result column's name and data type, such as `bigint`."""

    name: str
    type: str


@dataclass(frozen=True)
class Progress:
    """How far a job is, 0.0 to 1.0, and the steps of the statement that runs."""

    fraction: float
    steps: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Update:
    """A job as it is now, and the log lines that are new.

    `line` counts all lines told so far: `watch(line)` goes on from there. `ended` is True in the last update only.
    """

    status: str
    progress: Progress
    lines: Sequence[str]
    line: int
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Savepoint:
    """A state of a job that another one may go on from."""

    id: int
    kind: str
    """`savepoint`: the job went on; `suspend`: it was stopped with it; `checkpoint`: the newest of one that failed."""
    path: str
    """As the engine names it."""
    made_at_ms: int
    resumed_by: int | None
    """The job that went on from it last."""
    disposed_at_ms: int | None
    """When it was removed."""
