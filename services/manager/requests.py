"""The requests that wait and the rows that hold: request_engine(), release_engine(), and the grants between them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from commons.database.batches import Batch
from commons.database.connections import Database, Transaction
from commons.process import telemetry
from commons.process.clock import Clock
from commons.process.settings import Settings
from protocol.manager.v1 import manager_pb2 as pb
from protocol.values import JobRef, Labels, Resource, Tenant
from services.manager import engines, store, store_requests
from services.manager.granting import Granting
from services.manager.grants import grants
from services.manager.news import News
from services.manager.quotas import Limits
from services.manager.rows import WAITING, Request
from services.manager.serving import Serving

SHELL_RESOURCE = Resource(0.1, 128 * 2**20, 1)


@dataclass(frozen=True, slots=True)
class Release:
    """The wish to give back what a job holds or waits for."""

    job: JobRef
    spoiled: bool


class Requests:
    """Every change is made in one transaction with the grants that it allows; those of one moment share it."""

    def __init__(self, db: Database, clock: Clock, settings: Settings, news: News) -> None:
        self._clock = clock
        self._settings = settings
        self._limits = Limits(settings.tenant_engines, settings.tenant_running_jobs)
        self._news = news
        self._changes: Batch[Request | Release, pb.EngineGrant | None] = Batch(db, self._change_many)

    async def request_engine(self, request: pb.EngineRequest) -> pb.EngineGrant:
        """Find or insert the request of (job, attempt); granted at once when an engine is free or may be started."""
        job, now = JobRef(request.job_id, request.attempt), self._clock.now_ms()
        tenant, labels = Tenant.of(request.tenant), Labels.of(request.labels)
        with telemetry.step("request engine", job_id=job.job_id, attempt=job.attempt):
            place = telemetry.traceparent()
            asked = Request(job, request.instance, tenant, labels, WAITING, "", "", now, now, place)
            answer = await self._changes.add(asked)
        assert answer is not None
        return answer

    async def release_engine(self, job: JobRef, *, spoiled: bool) -> None:
        """Give the engine back, or withdraw a waiting request; a spoiled engine is stopped. Repeating is harmless."""
        with telemetry.step("release engine", job_id=job.job_id, attempt=job.attempt):
            await self._changes.add(Release(job, spoiled))

    async def close(self) -> None:
        """Wait until everything asked for is written."""
        await self._changes.close()

    async def _change_many(
        self, tx: Transaction, changes: Sequence[Request | Release]
    ) -> Sequence[pb.EngineGrant | None]:
        """Give back first, so that what is free then can be granted; but nothing before it was asked for."""
        asked = {change.job: change for change in changes if isinstance(change, Request)}
        released = [change for change in changes if isinstance(change, Release)]
        await self.release(tx, [change for change in released if change.job not in asked])
        answers = await self._request(tx, asked) if asked else {}
        await self.release(tx, [change for change in released if change.job in asked])
        return [answers[change.job] if isinstance(change, Request) else None for change in changes]

    async def _request(self, tx: Transaction, asked: Mapping[JobRef, Request]) -> Mapping[JobRef, pb.EngineGrant]:
        """Where these requests stand; what is free goes to those that are new, in the order in which they came.

        Nobody older is passed over: whatever became free went to who waited, in the same transaction.
        """
        known = await store_requests.requests_of(tx, asked)
        moved = [job for job, request in known.items() if request.instance != asked[job].instance]
        for job in moved:
            await store_requests.move_request(tx, job, asked[job].instance, self._clock.now_ms())
        granting = await self._look(tx)
        new = [granting.answer(request) for job, request in asked.items() if job not in known]
        if new:
            await granting.write(tx)
            await store_requests.insert_requests(tx, new)
        self._tell(moved, granting)  # who asks is answered
        standing = [*known.values(), *new]
        answers = await grants(tx, standing, (granting.nodes, granting.engines))
        return {request.job: answer for request, answer in zip(standing, answers, strict=True)}

    async def release(self, tx: Transaction, changes: Collection[Release]) -> None:
        """The same inside a transaction, for many; what is free then is granted."""
        if not changes or not await store_requests.release_requests(tx, [c.job for c in changes], self._clock.now_ms()):
            return
        for spoiled in (True, False):
            if jobs := [change.job for change in changes if change.spoiled is spoiled]:
                await engines.free(tx, self._clock, jobs, spoiled=spoiled)
        if any(change.spoiled for change in changes):
            self._news.wake()
        await self.grant_waiting(tx)

    async def grant_waiting(self, tx: Transaction) -> None:
        """Give what there is to who waits, in turn; whoever must wait on is told why."""
        queues = await store_requests.queues(tx)
        if not queues:
            return
        granting = await self._look(tx)
        serving = Serving(tx, granting)
        await serving.serve(queues)
        await granting.write(tx)
        if serving.granted:
            await store_requests.grant_requests(tx, serving.granted)
        news = [(queue, why) for queue, why in serving.waiting if queue.whys != {why}]
        for queue, why in news:
            await store_requests.tell_queue(tx, queue, why)
        self._tell(None if news else [request.job for request in serving.granted], granting)

    def _tell(self, jobs: Collection[JobRef] | None, granting: Granting) -> None:
        """Say which requests have changed, and whether there is work with engines."""
        if jobs is None or jobs:
            self._news.changed(jobs)
        if granting.wishes:
            self._news.wake()

    async def _look(self, tx: Transaction) -> Granting:
        return Granting(await store.nodes_and_engines(tx), self._clock, self._limits, self._resource)

    def _resource(self, labels: Labels) -> Resource:
        """What an engine with these labels takes of a node: what they say, else what its kind takes."""
        if labels.get("cores") and labels.get("memory"):
            return Resource(float(labels.get("cores")), int(labels.get("memory")), 1)
        if labels.kind == "shell":
            return SHELL_RESOURCE
        if labels.kind == "seatunnel":
            return Resource(self._settings.seatunnel_cores, self._settings.seatunnel_memory_mb * 2**20, 1)
        return Resource(self._settings.engine_cores, self._settings.engine_memory_mb * 2**20, 1)
