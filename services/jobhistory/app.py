"""The job history, composed: settings and a database -> a running service."""

from __future__ import annotations

import asyncio
from typing import NoReturn

from commons.calls import rpc
from commons.database.connections import Database
from commons.process import loops, telemetry
from commons.process.clock import Clock
from commons.process.settings import Settings
from commons.storage import Storage
from protocol.jobhistory import client
from protocol.jobhistory.v1 import jobhistory_pb2_grpc
from services.jobhistory.instances import Instances
from services.jobhistory.jobs import Jobs
from services.jobhistory.readings import readings
from services.jobhistory.retention import Retention
from services.jobhistory.rpc import JobHistoryServicer


class JobHistory:
    """Serves at `address` between `start` and `stop`."""

    def __init__(self, settings: Settings, db: Database, clock: Clock, address: str) -> None:
        instances = Instances(db, clock, int(settings.lease_seconds * 1000))
        self._servicer = JobHistoryServicer(db, Jobs(clock, settings.tenant_queued_jobs), instances, clock)
        self._db = db
        self._server = rpc.Server(address)
        self._server.add(jobhistory_pb2_grpc.add_JobHistoryServicer_to_server, self._servicer, client.NAME)
        self._retention = Retention(settings, db, clock, Storage(settings.storage_root), address)
        self._removing: asyncio.Task[NoReturn] | None = None

    async def readings(self) -> list[telemetry.Value]:
        """What its rows say of now."""
        return await readings(self._db)

    async def start(self) -> None:
        await self._server.start()
        self._removing = asyncio.create_task(self._retention.run())

    async def stop(self) -> None:
        await loops.end(self._removing)
        await self._server.stop()
        await self._servicer.saving.close()
        await self._servicer.changing.close()
