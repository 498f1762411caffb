"""The manager, composed: settings and a database -> a running service."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cache

from commons.calls import rpc
from commons.database.connections import Database
from commons.process import loops, telemetry
from commons.process.clock import Clock
from commons.process.settings import Settings
from protocol.ecm.client import Stub as Ecm
from protocol.jobhistory.client import Stub as JobHistory
from protocol.manager import client
from protocol.manager.v1 import manager_pb2_grpc
from services.manager.news import News
from services.manager.nodes import Nodes
from services.manager.readings import readings
from services.manager.reconcile import Reconcile
from services.manager.requests import Requests
from services.manager.rpc import ManagerServicer
from services.manager.starting import Starting


class Manager:
    """Serves at `address` and runs its loops between `start` and `stop`."""

    def __init__(
        self,
        settings: Settings,
        db: Database,
        clock: Clock,
        address: str,
        connect_ecm: Callable[[str], Ecm],
        jobhistory: JobHistory,
    ) -> None:
        self._db, self._clock = db, clock
        news = News()
        self._requests = requests = Requests(db, clock, settings, news)
        nodes = Nodes(db, clock, requests, news, jobhistory)
        self._starting = Starting(db, clock, settings, news, requests, cache(connect_ecm))
        self._reconcile = Reconcile(db, clock, settings, news, (requests, nodes), jobhistory)
        self._server = rpc.Server(address)
        self._server.add(
            manager_pb2_grpc.add_ManagerServicer_to_server, ManagerServicer(db, requests, nodes, news), client.NAME
        )
        self._loops: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        await self._server.start()
        self._loops = [asyncio.create_task(self._starting.run()), asyncio.create_task(self._reconcile.run())]

    async def readings(self) -> list[telemetry.Value]:
        """What its rows say of now."""
        return await readings(self._db, self._clock)

    async def stop_idle(self) -> None:
        """Ask nodes to stop every engine that nobody holds."""
        await self._reconcile.stop_idle(0)
        await self._starting.round()

    async def stop(self) -> None:
        await loops.end(*self._loops)
        await self._server.stop()
        await self._requests.close()
