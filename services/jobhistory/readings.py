"""What the rows of the history say of now, for /metrics."""

from __future__ import annotations

from commons.database.connections import Database
from commons.process import telemetry
from protocol.states.job import JOB, JobStatus
from services.jobhistory import store

_JOBS = telemetry.reading("jobs", "Jobs that have not ended, in the whole installation.", ("status",))


async def readings(db: Database) -> list[telemetry.Value]:
    """Jobs of each status that is not final."""
    async with db.read() as tx:
        found = await store.unended(tx)
    return [(_JOBS, (status,), found.get(status, 0)) for status in JobStatus if not JOB.final(status)]
