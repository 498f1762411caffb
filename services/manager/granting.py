"""The grants of one transaction: what there is, as it was read, kept true while it is given away, and written once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from commons.database.connections import Transaction
from commons.process.clock import Clock
from commons.process.ids import time_ordered
from protocol.states.engine import EngineStatus
from protocol.values import Labels, Resource, Tenant
from services.manager import engines, store
from services.manager.placement import make_room, place
from services.manager.quotas import Limits, Usage, engine_breaks, job_breaks
from services.manager.rows import GRANTED, Engine, Node, Request


class Granting:
    """`nodes` and `engines` (those that have not ended, by id) are what is there, with all that was given so far."""

    def __init__(
        self,
        there: tuple[list[Node], Mapping[str, Engine]],
        clock: Clock,
        limits: Limits,
        resource_of: Callable[[Labels], Resource],
    ) -> None:
        self.nodes, self.engines = there[0], dict(there[1])
        self._clock, self._limits, self._resource_of = clock, limits, resource_of
        self._taken: list[Engine] = []
        self._started: list[Engine] = []
        self._stopped: list[Engine] = []

    @property
    def wishes(self) -> bool:
        """Whether engines shall start or stop."""
        return bool(self._started or self._stopped)

    def running(self) -> Counter[Tenant]:
        """How many jobs of each tenant hold an engine."""
        return Counter(engine.tenant for engine in self.engines.values() if engine.holder is not None)

    def places(self, tenant: Tenant) -> int:
        """How many more jobs of the tenant may run."""
        return self._limits.running_jobs - self.running()[tenant]

    def find(self, tenant: Tenant, labels: Labels) -> Engine | Node | str:
        """The idle engine that the tenant may take, or the node where one may start; or why neither.

        Then engines that are idle make room, where that helps; who waits for it is granted once they are gone.
        """
        mine = [engine for engine in self.engines.values() if engine.tenant == tenant]
        usage = Usage(len(mine), sum(engine.holder is not None for engine in mine))
        if (why := job_breaks(usage, self._limits)) is not None:
            return why
        idle = [engine for engine in mine if engine.idle]
        for engine in idle:
            if engine.labels == labels:
                return engine
        if (why := engine_breaks(usage, self._limits)) is not None:
            if idle and all(engine.wanted_alive for engine in mine):  # one of other labels makes room
                self._stop([min(idle, key=lambda engine: engine.idle_since_ms or 0)])
            return why
        resource = self._resource_of(labels)
        node = place(resource, self.nodes, self.engines.values())
        if isinstance(node, str):
            self._stop(make_room(resource, self.nodes, self.engines.values()))
        return node

    def grant(self, request: Request, found: Engine | Node) -> Request:
        """Give the request what `find` has found for it; the request as it then is."""
        now = self._clock.now_ms()
        if isinstance(found, Engine):
            engine = replace(found, holder=request.job)
            self._taken.append(engine)
        else:
            engine = Engine(
                time_ordered(), found.name, request.tenant, request.labels, self._resource_of(request.labels),
                EngineStatus.STARTING, True, None, request.job, "waits for its node", now, None, request.traceparent,
            )  # fmt: skip
            self._started.append(engine)
        self.engines[engine.engine_id] = engine
        return replace(request, state=GRANTED, engine_id=engine.engine_id, why="", changed_at_ms=now)

    def answer(self, request: Request) -> Request:
        """A new request as it is from now on: granted, or told why it waits."""
        found = self.find(request.tenant, request.labels)
        return replace(request, why=found) if isinstance(found, str) else self.grant(request, found)

    def _stop(self, idle: Iterable[Engine]) -> None:
        for engine in idle:
            self._stopped.append(engine)
            self.engines[engine.engine_id] = replace(engine, wanted_alive=False)

    async def write(self, tx: Transaction) -> None:
        """Make the engines' rows so."""
        if self._taken:
            await store.take_engines(tx, self._taken)
        if self._started:
            await store.insert_engines(tx, self._started)
        for engine in self._stopped:
            await engines.unwant(tx, engine.engine_id, "room")
