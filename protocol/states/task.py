"""The states of a task: one attempt of a job on an engine; and of a statement in it."""

from __future__ import annotations

from enum import StrEnum

from commons.statemachine import Transitions


class TaskStatus(StrEnum):
    RUNNING = "Running"
    """The engine has it."""
    SUCCEED = "Succeed"
    FAILED = "Failed"
    CANCELLED = "Cancelled"


TASK = Transitions(
    {
        TaskStatus.RUNNING: frozenset({TaskStatus.SUCCEED, TaskStatus.FAILED, TaskStatus.CANCELLED}),
        TaskStatus.SUCCEED: frozenset(),
        TaskStatus.FAILED: frozenset(),
        TaskStatus.CANCELLED: frozenset(),
    }
)
