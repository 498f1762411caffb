"""The states of an engine, the manager's row."""

from __future__ import annotations

from enum import StrEnum

from commons.statemachine import Transitions


class EngineStatus(StrEnum):
    STARTING = "Starting"
    """Wanted; its process is being started."""
    READY = "Ready"
    """Open: it has a task, or is idle."""
    ENDED = "Ended"
    """Gone; the row is kept for its reason."""


ENGINE = Transitions(
    {
        EngineStatus.STARTING: frozenset({EngineStatus.READY, EngineStatus.ENDED}),
        EngineStatus.READY: frozenset({EngineStatus.ENDED}),
        EngineStatus.ENDED: frozenset(),
    }
)
