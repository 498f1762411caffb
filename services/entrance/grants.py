"""Where this instance's requests for engines stand: one stream from the manager, read for all jobs."""

from __future__ import annotations

import asyncio
import contextlib

from commons.process.errors import HeadgateError
from commons.process.loops import repeat
from protocol.manager.client import Stub as Manager
from protocol.manager.v1 import manager_pb2 as pb
from protocol.values import JobRef

AGAIN_SECONDS = 0.5
LOOK_SECONDS = 60.0
"""The stream tells every change, and where all requests stand when it is opened again: this is for what it missed."""


class Grants:
    """Streams are news, rows are truth: who waits also asks again now and then."""

    def __init__(self, manager: Manager, instance: str) -> None:
        self._manager = manager
        self._instance = instance
        self._known: dict[JobRef, pb.EngineGrant] = {}
        self._changed: dict[JobRef, asyncio.Event] = {}

    async def read_for_ever(self) -> None:
        """Keep the stream; a broken one is opened again."""

        async def read() -> None:
            async for news in self._manager.WatchRequests(pb.WatchRequestsRequest(instance=self._instance)):
                for grant in news.requests:
                    self._learn(grant)

        await repeat("reading where requests for engines stand", read, AGAIN_SECONDS)

    async def ask(self, request: pb.EngineRequest) -> pb.EngineGrant:
        """Request an engine, or learn where the request stands."""
        job = JobRef(request.job_id, request.attempt)
        self._changed.setdefault(job, asyncio.Event())
        return self._learn(await self._manager.RequestEngine(request))

    async def news(self, request: pb.EngineRequest, seen: pb.EngineGrant) -> pb.EngineGrant:
        """Where the request stands once that differs from `seen`."""
        job = JobRef(request.job_id, request.attempt)
        while True:
            known = self._known.get(job, seen)
            if known != seen:
                return known
            changed = self._changed[job]
            changed.clear()
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await changed.wait()
            except TimeoutError:
                with contextlib.suppress(HeadgateError):
                    await self.ask(request)

    def lost(self, job: JobRef) -> bool:
        """Whether the engine that the job held is gone."""
        known = self._known.get(job)
        return known is not None and known.state == pb.EngineGrant.LOST

    def forget(self, job: JobRef) -> None:
        self._known.pop(job, None)
        self._changed.pop(job, None)

    def _learn(self, grant: pb.EngineGrant) -> pb.EngineGrant:
        """Keep news of jobs that wait here; an older state never follows a newer one."""
        job = JobRef(grant.job_id, grant.attempt)
        if job not in self._changed:
            return grant
        known = self._known.get(job)
        if known is None or grant.state >= known.state:
            self._known[job] = grant
            self._changed[job].set()
        return self._known[job]
