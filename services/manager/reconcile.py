"""Puts right what no call will: idle engines, lost nodes, holds whose job has ended, rows that are too old."""

from __future__ import annotations

import logging

from commons.database.connections import Database
from commons.process.clock import Clock
from commons.process.loops import repeat
from commons.process.settings import Settings
from protocol.jobhistory.client import Stub as JobHistory
from protocol.jobhistory.v1 import jobhistory_pb2
from services.manager import engines, store, store_requests
from services.manager.news import News
from services.manager.nodes import Nodes
from services.manager.requests import Requests

log = logging.getLogger(__name__)

POLL_SECONDS = 2.0
HELD_MS = 10_000
KEPT_MS, DAY_MS = 3_600_000, 86_400_000


class Reconcile:
    """The loop; each round is idempotent."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        settings: Settings,
        news: News,
        parts: tuple[Requests, Nodes],
        jobhistory: JobHistory,
    ) -> None:
        self._db = db
        self._clock = clock
        self._news = news
        self._requests, self._nodes = parts
        self._jobhistory = jobhistory
        self._idle_ms = int(settings.engine_idle_seconds * 1000)
        self._silent_ms = int(settings.lease_seconds * 2000)
        self._held_ms = min(HELD_MS, self._silent_ms)

    async def run(self) -> None:
        await repeat("reconciling", self.round, POLL_SECONDS)

    async def round(self) -> None:
        now = self._clock.now_ms()
        await self.stop_idle(self._idle_ms)
        await self._nodes.lost(self._silent_ms)
        await self._release_ended(now)
        async with self._db.write() as tx:
            await store_requests.delete_released(tx, now - KEPT_MS)
            await store.delete_ended_engines(tx, now - DAY_MS)
            await store.delete_lost_nodes(tx, now - DAY_MS)

    async def stop_idle(self, idle_ms: int) -> None:
        """Engines idle for longer than that shall stop."""
        now = self._clock.now_ms()
        async with self._db.write() as tx:
            idle = [
                engine
                for engine in await store.engines(tx)
                if engine.idle and engine.idle_since_ms is not None and now - engine.idle_since_ms >= idle_ms
            ]
            for engine in idle:
                await engines.unwant(tx, engine.engine_id, "idle")
        if idle:
            self._news.wake()

    async def _release_ended(self, now: int) -> None:
        """Requests whose job has ended and whose entrance did not give them back."""
        async with self._db.read() as tx:
            old = await store_requests.unchanged_jobs(tx, now - self._held_ms)
        if not old:
            return
        asked = jobhistory_pb2.WhichEndedRequest(job_ids=[job.job_id for job in old])
        ended = set((await self._jobhistory.WhichEnded(asked)).job_ids)
        for job in old:
            if job.job_id in ended:
                log.info("job %s has ended and still had its place: released", job)
                await self._requests.release_engine(job, spoiled=True)
