"""A job history with files on a real database and a real storage root; time is turned by hand."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from commons.database.connections import Database
from commons.process.settings import Settings
from commons.storage import Storage
from protocol import layout
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from protocol.values import Tenant
from services import schema
from services.jobhistory.instances import Instances
from services.jobhistory.jobs import Jobs
from services.jobhistory.retention import Retention
from services.jobhistory.rpc import JobHistoryServicer
from tests.support.managing import HandClock

DAY, SWEEP = 86_400, 600


class History:
    """The job history and its files; `sweep` is one of a service with these settings."""

    def __init__(self, db: Database, folder: Path) -> None:
        self.db, self.root, self.clock = db, folder / "storage", HandClock()
        self.storage = Storage(f"file://{self.root}")
        self.door = JobHistoryServicer(db, Jobs(self.clock, 1000), Instances(db, self.clock, 15_000), self.clock)

    async def job(self, short_id: str, size: int = 1000, *, end: str = "Failed", attempt: int = 1) -> pb.Job:
        """A job with a log and a result of that size, ended as `end` unless that is empty."""
        place = layout.JobPath(layout.day_of(self.clock.now_ms()), "alice", short_id, attempt)
        for name in (layout.LOG, f"{layout.RESULTS}/0/{layout.part_name(0)}"):
            self.storage.write(f"{place}/{name}", b"x" * (size // 2))
        job = await self.door.SaveJobHistory(
            pb.SaveJobHistoryRequest(
                short_id=short_id, instance="h:1", tenant=Tenant("alice", "IDE").message(), execute_user="alice",
                engine_type="shell", run_type="shell", execution_code="x", source="{}", labels="{}", params="{}",
                result_location=self.storage.address(f"{place}/{layout.RESULTS}"),
                log_path=self.storage.address(f"{place}/{layout.LOG}"), request="{}",
            ), None,
        )  # fmt: skip
        if end:
            await self.end(job, end)
        self.clock.turn(1)
        return job

    async def end(self, job: pb.Job, to: str = "Failed") -> None:
        source = (await self.door.FindJob(pb.FindJobRequest(job_id=job.job_id), None)).status
        steps = [pb.StatusStep(to=to, why=to)]
        move = pb.UpdateJobStatusRequest(job_id=job.job_id, epoch=1, source=source, steps=steps, by="test")
        await self.door.UpdateJobStatus(move, None)

    def retention(self, **settings: float) -> Retention:
        chosen = Settings(sweep_seconds=SWEEP, **settings)  # type: ignore[arg-type]
        return Retention(chosen, self.db, self.clock, self.storage, "test")

    async def sweep(self, **settings: float) -> None:
        self.clock.turn(SWEEP + 1)
        await self.retention(**settings).sweep()

    def folders(self) -> list[str]:
        return sorted(path.name for path in self.root.glob("jobs/*/*/*"))

    async def removed(self, job: pb.Job) -> str:
        return (await self.door.FindJob(pb.FindJobRequest(job_id=job.job_id), None)).removed.why

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with sqlite3.connect(self.root.parent / "test.db") as connection:
            rows = connection.execute(query).fetchall()
        connection.close()
        return rows


@asynccontextmanager
async def aging(folder: Path) -> AsyncIterator[History]:
    """The history in a folder, made when there is none."""
    db = await Database.open(f"sqlite+aiosqlite:///{folder}/test.db")
    try:
        await schema.create(db, "test")
        yield History(db, folder)
    finally:
        await db.close()
