"""Which jobs use which artifacts: noted before the job is saved, good while the job has not ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from commons.database.connections import Database
from commons.process.clock import Clock, to_datetime, to_ms
from commons.process.errors import NotFound
from protocol import codes
from protocol.jobhistory.client import Stub as JobHistory
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from services.entrance import store_artifacts as store

AT_ONCE = 100
SAVED_WITHIN_MS = 3_600_000
"""A job is saved this soon after its uses are noted."""


@dataclass(frozen=True, slots=True)
class User:
    """A job that uses a version and has not ended. `job_id` 0: it is being submitted."""

    job_id: int
    user: str
    status: str
    number: int


class ArtifactUses:
    """The notes. Whether a job has ended the history says, so no note has to go with its job at once."""

    def __init__(self, db: Database, clock: Clock, jobhistory: JobHistory) -> None:
        self._db = db
        self._clock = clock
        self._jobhistory = jobhistory

    async def add(self, short_id: str, used: Iterable[tuple[str, int]]) -> None:
        """Note that the job uses these, by id and number; harmless when it is noted. Raises NotFound for one that has
        just been deleted."""
        now = to_datetime(self._clock.now_ms())
        async with self._db.write() as tx:
            for artifact_id, number in sorted(set(used)):
                await store.artifact(tx, id=artifact_id, lock=True)
                if await store.version(tx, artifact_id, number) is None:
                    what = "an artifact of the job has just been deleted; submit it with another one"
                    raise NotFound(codes.ARTIFACT_UNKNOWN, what)
                await store.insert_use(tx, short_id, artifact_id, number, now)

    async def drop(self, short_id: str) -> None:
        """The job was not saved."""
        async with self._db.write() as tx:
            await store.delete_uses(tx, [short_id])

    async def of(self, artifact_id: str, number: int = 0, most: int = AT_ONCE) -> list[User]:
        """Jobs that use the version now, or any of the artifact; the oldest first, at most so many.

        The notes of jobs that have ended, which it comes across, go.
        """
        while True:
            async with self._db.read() as tx:
                rows = await store.uses(tx, artifact_id, number, most)
            jobs = {row.short_id: await self._job(row.short_id, to_ms(row.created_at)) for row in rows}
            ended = [short_id for short_id, job in jobs.items() if job is None]
            await self._forget(ended)
            if not ended or len(rows) < most:
                found = [(jobs[row.short_id], row.number) for row in rows]
                return [User(job.job_id, job.submit_user, job.status, number) for job, number in found if job]

    async def sweep(self) -> None:
        """Notes of jobs that have ended, or were never saved, go."""
        after = ""
        while True:
            async with self._db.read() as tx:
                rows = await store.using_jobs(tx, after, AT_ONCE)
            await self._forget([short_id for short_id, at in rows if not await self._job(short_id, to_ms(at))])
            if len(rows) < AT_ONCE:
                return
            after = rows[-1][0]

    async def _job(self, short_id: str, noted_ms: int) -> pb.Job | None:
        """The job, or None when it has ended or will never be; one without an id when it is being submitted."""
        try:
            job = await self._jobhistory.FindJob(pb.FindJobRequest(short_id=short_id))
        except NotFound:
            return pb.Job() if self._clock.now_ms() - noted_ms < SAVED_WITHIN_MS else None
        return job if job.HasField("live") else None

    async def _forget(self, short_ids: Sequence[str]) -> None:
        if short_ids:
            async with self._db.write() as tx:
                await store.delete_uses(tx, short_ids)
