"""The states of a job, spelled as Linkis clients read them. Ended states are final."""

from __future__ import annotations

from enum import StrEnum

from commons.statemachine import Transitions


class JobStatus(StrEnum):
    INITED = "Inited"
    """Saved; waits for its turn."""
    WAIT_FOR_RETRY = "WaitForRetry"
    """An attempt failed; the next one waits."""
    SCHEDULED = "Scheduled"
    """Has an engine, which may still start."""
    RUNNING = "Running"
    """Its task is with the engine."""
    SUCCEED = "Succeed"
    """Every statement ended well."""
    FAILED = "Failed"
    """Something failed; the error says what."""
    CANCELLED = "Cancelled"
    """Killed by a wish."""
    TIMEOUT = "Timeout"
    """Waited or ran longer than it was allowed to."""


_ENDS = frozenset({JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.TIMEOUT})

JOB = Transitions(
    {
        JobStatus.INITED: frozenset({JobStatus.SCHEDULED, JobStatus.WAIT_FOR_RETRY}) | _ENDS,
        JobStatus.WAIT_FOR_RETRY: frozenset({JobStatus.SCHEDULED, JobStatus.WAIT_FOR_RETRY}) | _ENDS,
        JobStatus.SCHEDULED: frozenset({JobStatus.RUNNING, JobStatus.WAIT_FOR_RETRY}) | _ENDS,
        JobStatus.RUNNING: frozenset({JobStatus.SUCCEED, JobStatus.WAIT_FOR_RETRY}) | _ENDS,
        JobStatus.SUCCEED: frozenset(),
        JobStatus.FAILED: frozenset(),
        JobStatus.CANCELLED: frozenset(),
        JobStatus.TIMEOUT: frozenset(),
    }
)
