"""Makes engine rows so: asks nodes to start engines that are wanted and not yet there, and to stop the others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from commons.database.connections import Database
from commons.process import telemetry
from commons.process.clock import Clock
from commons.process.errors import Conflict, HeadgateError
from commons.process.loops import survive
from commons.process.settings import Settings
from protocol.ecm.client import Stub as Ecm
from protocol.ecm.v1 import ecm_pb2
from protocol.states.engine import EngineStatus
from services.manager import engines, store
from services.manager.news import News
from services.manager.requests import Requests
from services.manager.rows import Engine, Node

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0


class Starting:
    """The loop. A node that does not answer is asked again in the next round."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        settings: Settings,
        news: News,
        requests: Requests,
        ecm_of: Callable[[str], Ecm],
    ) -> None:
        self._db = db
        self._requests = requests
        self._clock = clock
        self._news = news
        self._ecm_of = ecm_of
        self._started_ms = clock.now_ms()
        self._longest_ms = int(settings.engine_start_seconds * 1000)
        kept = {
            "flink_home": settings.flink_home,
            "seatunnel_home": settings.seatunnel_home,
            "java_home": settings.java_home,
            "runtime_mode": settings.flink_runtime_mode,
            "flink_paths": settings.flink_paths,
            "flink_set_keys": settings.flink_set_keys,
            "flink_select_rows": str(settings.flink_select_rows),
            "flink_select_seconds": str(settings.flink_select_seconds),
        }
        self._settings = {name: value for name, value in kept.items() if value}

    async def run(self) -> None:
        while True:
            seen = self._news.version
            await survive("starting engines", self.round)
            await self._news.wait(seen, POLL_SECONDS)

    async def round(self) -> None:
        """Look at every engine that has not ended, once."""
        async with self._db.read() as tx:
            living, nodes = await store.engines(tx), {node.name: node for node in await store.nodes(tx)}
        await asyncio.gather(*(self._one(engine, nodes.get(engine.node)) for engine in living))

    async def _one(self, engine: Engine, node: Node | None) -> None:
        if node is None or not node.alive:
            return
        try:
            await self._look(engine, self._ecm_of(node.ecm_address))
        except Conflict as error:
            await self._ended(engine, error.message)
        except HeadgateError as error:
            log.warning("engine %s: its node does not do it: %s", engine.engine_id, error)
            if not engine.asked and error.message != engine.why:
                async with self._db.write() as tx:
                    await engines.say(tx, engine.engine_id, error.message)
                    self._news.engine_changed(engine)

    async def _look(self, engine: Engine, ecm: Ecm) -> None:
        if engine.status is EngineStatus.STARTING and engine.wanted_alive and self._too_old(engine):
            why = f"not ready after {self._longest_ms // 1000} s (HEADGATE_ENGINE_START_SECONDS); last: {engine.why}"
            await self._ended(engine, why)
            await ecm.TerminateEngineConnection(ecm_pb2.EngineTerminateRequest(engine_id=engine.engine_id))
        elif not engine.wanted_alive:
            if engine.asked:
                await ecm.TerminateEngineConnection(ecm_pb2.EngineTerminateRequest(engine_id=engine.engine_id))
            else:
                await self._ended(engine, "stopped before it was started")
        elif not engine.asked:
            await self._create(engine, ecm)

    async def _create(self, engine: Engine, ecm: Ecm) -> None:
        request = ecm_pb2.EngineCreateRequest(
            engine_id=engine.engine_id,
            tenant=engine.tenant.message(),
            labels=engine.labels.message(),
            resource=engine.resource.message(),
            settings=self._settings,
        )
        with telemetry.continued(engine.traceparent), telemetry.step("start engine", engine_id=engine.engine_id):
            await ecm.CreateEngineConnection(request)
        async with self._db.write() as tx:
            await engines.asked(tx, self._clock, engine.engine_id)

    def _too_old(self, engine: Engine) -> bool:
        # while there was no manager, nobody could see that it was ready
        return self._clock.now_ms() - max(engine.created_at_ms, self._started_ms) > self._longest_ms

    async def _ended(self, engine: Engine, why: str) -> None:
        async with self._db.write() as tx:
            self._news.engine_changed(await engines.move(tx, self._clock, engine.engine_id, EngineStatus.ENDED, why))
            await self._requests.grant_waiting(tx)
