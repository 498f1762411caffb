"""This entrance instance: its lease, the jobs that are its own, and what is wished of them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from functools import partial

from commons.process import loops, telemetry
from commons.process.errors import Conflict, HeadgateError
from commons.process.ids import random_hex
from protocol.jobhistory.client import Stub as JobHistory
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from services.entrance.dispatch import Parts, run_job
from services.entrance.held import Held, load
from services.entrance.wire.exec_id import JobId, ShortId

log = logging.getLogger(__name__)

AGAIN_SECONDS = 5.0
LEASE_RENEWALS = 5
"""So many renewals come in the time of a lease."""

_RENEWALS = telemetry.counter(
    "lease_renewals", "This entrance's lease: renewed, failed (no answer), lost (another process has it).", ("outcome",)
)
_TAKEN = telemetry.counter("jobs_taken_over", "Jobs of lost entrances that are this one's now.")


class Instance:
    """Runs every job that is its own, from registration to `stop`; what is stopped goes on with the next start."""

    def __init__(self, name: str, jobhistory: JobHistory, parts: Parts, renew_seconds: float) -> None:
        self.name = name
        self._jobhistory = jobhistory
        self._parts = parts
        self._renew_seconds = renew_seconds
        self._incarnation = ""
        self._renewed_at = 0.0
        self._jobs: dict[int, tuple[asyncio.Task[None], asyncio.Event]] = {}
        self._held: dict[int | str, Held] = {}  # by id and by short id
        self._renewing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take up the jobs an earlier incarnation left."""
        await self._register()
        what, every = "renewing this instance's lease", self._renew_seconds
        self._renewing = asyncio.create_task(loops.repeat(what, self._renew, every, first_seconds=every))

    async def _register(self) -> None:
        self._incarnation = random_hex(64)
        request = pb.RegisterInstanceRequest(instance=self.name, incarnation=self._incarnation)
        for job_id in (await self._jobhistory.RegisterInstance(request)).job_ids:
            await self._begin_anew(job_id)
        self._renewed_at = time.monotonic()

    def take(self, job: pb.Job) -> None:
        """Run a job that is ours now, unless it runs or has ended."""
        if job.HasField("live"):
            self._begin(job.job_id, Held(job, job.story) if job.story else None)

    def held(self, key: JobId | ShortId) -> Held | None:
        """A job that runs here, as it is recorded."""
        return self._held.get(key.value)

    def _begin(self, job_id: int, held: Held | None = None) -> None:
        if job_id not in self._jobs:
            if held is not None:
                self._hold(held)
            cancelled = asyncio.Event()
            task = asyncio.create_task(self._run(job_id, cancelled), name=f"job {job_id}")
            task.add_done_callback(partial(self._ended, job_id))
            self._jobs[job_id] = (task, cancelled)

    async def _begin_anew(self, job_id: int) -> None:
        """Run a job whose epoch has risen, instead of whatever runs it here."""
        while job_id in self._jobs:
            await self._end([job_id])
        self._begin(job_id)

    async def _end(self, job_ids: Iterable[int]) -> None:
        """Let go of these jobs where they are."""
        runs = [(job_id, self._jobs.pop(job_id)[0]) for job_id in job_ids]
        for job_id, _ in runs:
            self._let_go(job_id)
        await loops.end(*(task for _, task in runs))

    def _ended(self, job_id: int, task: asyncio.Task[None]) -> None:
        """Also of one that was cancelled before it began."""
        run = self._jobs.get(job_id)
        if run is not None and run[0] is task:
            self._let_go(job_id)
            del self._jobs[job_id]

    def _hold(self, held: Held) -> None:
        self._held[held.job.job_id] = self._held[held.job.short_id] = held

    def _let_go(self, job_id: int) -> None:
        held = self._held.pop(job_id, None)
        if held is not None:
            del self._held[held.job.short_id]
            held.wake()  # who waits for it asks the history now

    def cancel(self, job_id: int) -> None:
        """A hint that the job is wished cancelled; the next renewal would tell."""
        held = self._jobs.get(job_id)
        if held is not None:
            held[1].set()

    async def stop(self) -> None:
        """Let go of all jobs where they are."""
        await loops.end(self._renewing)
        await self._end(list(self._jobs))

    async def _run(self, job_id: int, cancelled: asyncio.Event) -> None:
        async def run() -> None:
            held = self._held.get(job_id) or await load(self._jobhistory, job_id)
            if held is not None and held.live.instance == self.name:
                self._hold(held)
                await run_job(held, cancelled, self._parts)

        while not await loops.survive(f"job {job_id}", run):
            self._let_go(job_id)  # its rows may say more
            await asyncio.sleep(AGAIN_SECONDS)

    async def _renew(self) -> None:
        if time.monotonic() - self._renewed_at > LEASE_RENEWALS * self._renew_seconds:
            # others may have taken the jobs: what is still this one's is asked for as after a start
            log.warning("the lease of %s was not renewed in time: its jobs are taken up anew", self.name)
            await self._end(list(self._jobs))
            await self._register()
        request = pb.RenewInstanceRequest(instance=self.name, incarnation=self._incarnation)
        try:
            reply = await self._jobhistory.RenewInstance(request)
        except Conflict as error:
            _RENEWALS.labels("lost").inc()
            log.error("%s: this process lets go of all jobs", error)
            await self._end(list(self._jobs))
            return
        except HeadgateError:
            _RENEWALS.labels("failed").inc()
            raise
        _RENEWALS.labels("renewed").inc()
        self._renewed_at = time.monotonic()
        _TAKEN.inc(len(reply.taken))
        for job_id in reply.taken:
            await self._begin_anew(job_id)
        for job_id in reply.cancelled:
            self.cancel(job_id)
