"""/entrance/{id}/savepoints: states of jobs that others go on from."""

from __future__ import annotations

from typing import Literal

from services.entrance.wire.shapes.envelopes import Number, Shape
from services.entrance.wire.shapes.jobs import Acted


class Savepoint(Shape):
    id: Number
    taskID: Number
    statement: Number
    """Whose state it is, from 0."""
    kind: Literal["savepoint", "suspend", "checkpoint"]
    """Asked for while the job went on; the job was stopped with it; the engine's newest, of a job that failed."""
    path: str
    """As the engine names it."""
    madeAt: Number
    """Epoch milliseconds."""
    resumedBy: Number | None
    """The job that went on from it last."""
    disposedAt: Number | None


class Made(Acted):
    savepoint: Savepoint


class Listed(Acted):
    savepoints: list[Savepoint]


class Diagnosis(Acted):
    diagnosis: dict[str, str]
