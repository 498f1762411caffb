"""What the doors tell of engines: the manager knows."""

from __future__ import annotations

from protocol.manager.client import Stub as Manager
from protocol.manager.v1 import manager_pb2 as pb


class Engines:
    """Composed by `app`. `tenant_running_jobs` is how many jobs a tenant may have on engines at once."""

    def __init__(self, manager: Manager, tenant_running_jobs: int) -> None:
        self._manager = manager
        self.tenant_running_jobs = tenant_running_jobs

    async def count(self, wanted: pb.EngineCountQuery) -> pb.EngineCounts:
        return await self._manager.CountEngines(wanted)
