"""Flink's jobs by id; SHOW JOBS, DESCRIBE JOB, STOP JOB, which Flink leaves to whoever owns the cluster. Blocking."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from services.engineconn.engine import Task
from services.engineconn.flink.session import Listing, Parsed, Session, SqlError

OPERATIONS = ("ShowJobsOperation", "DescribeJobOperation", "StopJobOperation")


def job_id(task: Task, number: int) -> str:
    """32 hex digits that the same statement of the same attempt always has: Flink takes them once."""
    return hashlib.md5(f"{task.job_id}:{task.attempt}:{number}".encode(), usedforsecurity=False).hexdigest()


def perform(session: Session, parsed: Parsed) -> Listing | None:
    """What the statement gives; None when it gives nothing. Raises SqlError."""
    jobs = session.call(lambda: list(session.jvm.cluster.listJobs().get()))
    if parsed.name == "ShowJobsOperation":
        return _listing(jobs)
    wanted = str(parsed.operation.getJobId())
    found = next((job for job in jobs if str(job.getJobId().toHexString()) == wanted), None)
    if found is None:
        raise SqlError(f"there is no job {wanted[:64]} on this engine; SHOW JOBS lists those there are", "")
    if parsed.name == "DescribeJobOperation":
        return _listing([found])
    return _stop(session, found.getJobId(), parsed.operation)


def _listing(jobs: Sequence[Any]) -> Listing:
    names = ("job id", "job name", "status", "start time")
    rows = [
        (str(job.getJobId().toHexString()), str(job.getJobName()), str(job.getJobState()), _time(job.getStartTime()))
        for job in sorted(jobs, key=lambda job: int(job.getStartTime()))
    ]
    return Listing(names, ("STRING",) * len(names), iter(rows))


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _stop(session: Session, job_id: Any, operation: Any) -> Listing | None:
    cluster = session.jvm.cluster
    if not operation.isWithSavepoint():
        session.call(lambda: cluster.cancel(job_id).get())
        return None
    canonical = session.jvm.root.org.apache.flink.core.execution.SavepointFormatType.CANONICAL
    drain = bool(operation.isWithDrain())
    path = session.call(lambda: cluster.stopWithSavepoint(job_id, drain, None, canonical).get())
    return Listing(("savepoint path",), ("STRING",), iter([(str(path),)]))
