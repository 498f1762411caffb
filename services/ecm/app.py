"""The node's daemon, composed: settings -> a running service."""

from __future__ import annotations

import asyncio
from pathlib import Path

from commons.calls import rpc
from commons.process import loops, telemetry
from commons.process.settings import Settings
from commons.storage import Storage
from protocol.ecm import client
from protocol.ecm.v1 import ecm_pb2_grpc
from protocol.manager.client import Stub as Manager
from services.ecm.engines import Engines
from services.ecm.ledger import Ledger
from services.ecm.readings import readings
from services.ecm.reporting import report_for_ever
from services.ecm.rpc import EcmServicer
from services.ecm.workdir import Folders


class Ecm:
    """`start` takes up what runs on the node; `stop` leaves it running unless told otherwise."""

    def __init__(self, settings: Settings, address: str, manager: Manager, sockets: Path) -> None:
        self._settings = settings
        self._address = address
        self._manager = manager
        home = settings.home_folder
        self._storage = Storage(settings.storage_root)
        self._engines = Engines(
            Ledger(home / "node"),
            self._storage,
            sockets,
            address,
            Folders(
                settings.workspaces_folder,
                settings.engines_folder,
                settings.engine_module_names,
                int(settings.task_folder_days * 86_400_000),
                settings.engine_alone_seconds,
            ),
        )
        self._server = rpc.Server(address)
        self._server.add(ecm_pb2_grpc.add_EcmServicer_to_server, EcmServicer(self._engines), client.NAME)
        self._reporting: asyncio.Task[None] | None = None

    async def readings(self) -> list[telemetry.Value]:
        """What its disks and engines say of now."""
        return await readings(self._engines, self._settings.home_folder, self._storage)

    async def start(self) -> None:
        self._engines.attach()
        await self._server.start()
        every = self._settings.lease_seconds / 5
        self._reporting = asyncio.create_task(report_for_ever(self._engines, self._manager, self._address, every))

    async def stopped(self, at_most_seconds: float) -> None:
        """Return when every engine that was told to stop is gone, or when the time is over."""
        await self._engines.terminated(at_most_seconds)

    async def stop(self, *, end_engines: bool) -> bool:
        """Whether engines go on without this daemon."""
        if end_engines:
            await self._engines.end_all()
        await loops.end(self._reporting)
        await self._server.stop()
        return self._engines.any_alive
