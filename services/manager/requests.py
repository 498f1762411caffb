"""The requests that wait and the rows that hold: request_engine(), release_engine(), and the grant between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from commons.database.connections import Database, Transaction
from commons.process import telemetry
from commons.process.clock import Clock
from commons.process.ids import time_ordered
from commons.process.settings import Settings
from protocol.manager.v1 import manager_pb2 as pb
from protocol.states.engine import EngineStatus
from protocol.values import JobRef, Labels, Resource, Tenant
from services.manager import engines, store
from services.manager.news import News
from services.manager.placement import make_room, place
from services.manager.quotas import Limits, Usage, engine_breaks, job_breaks
from services.manager.rows import GRANTED, RELEASED, WAITING, Engine, Node, Request
from services.manager.sharing import turns

SHELL_RESOURCE = Resource(0.1, 128 * 2**20, 1)


@dataclass(slots=True)
class State:
    """What a grant looks at, read once in its transaction and kept true while it goes on."""

    engines: dict[str, Engine]
    nodes: list[Node]

    def usage(self, tenant: Tenant) -> Usage:
        mine = [engine for engine in self.engines.values() if engine.tenant == tenant]
        return Usage(len(mine), sum(engine.holder is not None for engine in mine))


class Requests:
    """Every change is one transaction that also gives freed places to who waits."""

    def __init__(self, db: Database, clock: Clock, settings: Settings, news: News) -> None:
        self._db = db
        self._clock = clock
        self._settings = settings
        self._limits = Limits(settings.tenant_engines, settings.tenant_running_jobs)
        self._news = news

    async def request_engine(self, request: pb.EngineRequest) -> pb.EngineGrant:
        """Find or insert the request of (job, attempt); granted at once when an engine is free or may be started."""
        job, now = JobRef(request.job_id, request.attempt), self._clock.now_ms()
        async with self._db.write() as tx:
            known = await store.request(tx, job)
            if known is not None and known.instance != request.instance:  # its job was taken over
                await store.update_request(tx, job, now, instance=request.instance)
            if known is None:
                with telemetry.step("request engine", job_id=job.job_id, attempt=job.attempt):
                    await self._insert(tx, request, now)
                    await self.grant_waiting(tx)
            answer = await self.grant_of(tx, job)
        self._news.wake()
        return answer

    async def _insert(self, tx: Transaction, request: pb.EngineRequest, now: int) -> None:
        job, labels = JobRef(request.job_id, request.attempt), Labels.of(request.labels)
        tenant, place = Tenant.of(request.tenant), telemetry.traceparent()
        await store.insert_request(tx, Request(job, request.instance, tenant, labels, WAITING, "", "", now, now, place))

    async def release_engine(self, job: JobRef, *, spoiled: bool) -> None:
        """Give the engine back, or withdraw a waiting request; a spoiled engine is stopped. Repeating is harmless."""
        with telemetry.step("release engine", job_id=job.job_id, attempt=job.attempt):
            async with self._db.write() as tx:
                await self.release(tx, job, spoiled=spoiled)
        self._news.wake()

    async def release(self, tx: Transaction, job: JobRef, *, spoiled: bool) -> None:
        """The same inside a transaction."""
        request = await store.request(tx, job)
        if request is None or request.state == RELEASED:
            return
        await store.update_request(tx, job, self._clock.now_ms(), state=RELEASED, why="given back")
        if request.engine_id:
            await engines.free(tx, self._clock, request.engine_id)
            if spoiled:
                await engines.unwant(tx, request.engine_id, "spoiled")
        await self.grant_waiting(tx)

    async def grant_waiting(self, tx: Transaction) -> None:
        """Give what there is to who waits, in turn; whoever must wait on is told why."""
        waiting = await store.requests(tx, state=WAITING)
        if not waiting:
            return
        state = State({engine.engine_id: engine for engine in await store.engines(tx)}, await store.nodes(tx))
        running = Counter(engine.tenant for engine in state.engines.values() if engine.holder is not None)
        for request in turns(waiting, running):
            why = await self._try(tx, request, state)
            if why is not None and why != request.why:
                await store.update_request(tx, request.job, self._clock.now_ms(), why=why)

    async def _try(self, tx: Transaction, request: Request, state: State) -> str | None:
        """Grant the request, or say why not."""
        usage = state.usage(request.tenant)
        if (why := job_breaks(usage, self._limits)) is not None:
            return why
        mine = [engine for engine in state.engines.values() if engine.tenant == request.tenant]
        idle = [engine for engine in mine if engine.idle]
        for engine in idle:
            if engine.labels == request.labels:
                await store.update_engine(
                    tx, engine.engine_id, (EngineStatus.READY,), job_id=request.job.job_id, attempt=request.job.attempt
                )
                await self._granted(tx, request, replace(engine, holder=request.job), state)
                return None
        if (why := engine_breaks(usage, self._limits)) is not None:
            if idle and all(engine.wanted_alive for engine in mine):  # one of other labels makes room
                await self._stop(tx, [min(idle, key=lambda engine: engine.idle_since_ms or 0)], state)
            return why
        return await self._start(tx, request, state)

    async def _start(self, tx: Transaction, request: Request, state: State) -> str | None:
        resource = self._resource(request.labels)
        node = place(resource, state.nodes, state.engines.values())
        if isinstance(node, str):
            await self._stop(tx, make_room(resource, state.nodes, state.engines.values()), state)
            return node
        engine = Engine(
            time_ordered(), node.name, request.tenant, request.labels, resource, EngineStatus.STARTING,
            True, None, request.job, "waits for its node", self._clock.now_ms(), None, request.traceparent,
        )  # fmt: skip
        await store.insert_engine(tx, engine)
        await self._granted(tx, request, engine, state)
        return None

    async def _stop(self, tx: Transaction, idle: Sequence[Engine], state: State) -> None:
        """Idle engines make room; who waits for it is granted once they are gone."""
        for engine in idle:
            await engines.unwant(tx, engine.engine_id, "room")
            state.engines[engine.engine_id] = replace(engine, wanted_alive=False)

    async def _granted(self, tx: Transaction, request: Request, engine: Engine, state: State) -> None:
        state.engines[engine.engine_id] = engine
        now = self._clock.now_ms()
        await store.update_request(tx, request.job, now, state=GRANTED, engine_id=engine.engine_id, why="")

    async def grant_of(self, tx: Transaction, job: JobRef) -> pb.EngineGrant:
        """Where a request stands now."""
        request = await store.request(tx, job)
        assert request is not None
        return (await self.grants(tx, [request]))[0]

    async def grants(self, tx: Transaction, requests: Sequence[Request]) -> list[pb.EngineGrant]:
        """Where these requests stand now, as entrances are told."""
        held = await store.engines_by_id(tx, {request.engine_id for request in requests if request.engine_id})
        addresses = {node.name: node.ecm_address for node in await store.nodes(tx)}
        return [_grant(request, held.get(request.engine_id), addresses) for request in requests]

    def _resource(self, labels: Labels) -> Resource:
        if labels.kind == "shell":
            return SHELL_RESOURCE
        return Resource(self._settings.engine_cores, self._settings.engine_memory_mb * 2**20, 1)


def _grant(request: Request, engine: Engine | None, addresses: dict[str, str]) -> pb.EngineGrant:
    grant = pb.EngineGrant(job_id=request.job.job_id, attempt=request.job.attempt, why=request.why)
    if request.state == RELEASED:
        grant.state = pb.EngineGrant.RELEASED
    elif request.state == WAITING:
        grant.state = pb.EngineGrant.WAITING
    elif engine is None:
        grant.state, grant.why = pb.EngineGrant.LOST, "the engine is no longer known"
    else:
        lost = engine.status is EngineStatus.ENDED or not engine.wanted_alive
        ready = pb.EngineGrant.READY if engine.status is EngineStatus.READY else pb.EngineGrant.GRANTED
        grant.state = pb.EngineGrant.LOST if lost else ready
        grant.engine_id, grant.node, grant.why = engine.engine_id, engine.node, engine.why
        grant.was_ready = engine.idle_since_ms is not None
        grant.ecm_address = addresses.get(engine.node, "")
    return grant
