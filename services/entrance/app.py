"""The entrance, composed: settings and a database -> a running service."""

from __future__ import annotations

import asyncio
import time
from functools import cache, partial

from commons.calls import rpc
from commons.database.connections import Database
from commons.process import disk, loops
from commons.process.clock import Clock
from commons.process.settings import Settings
from commons.process.telemetry import Scrape
from commons.storage import Storage
from protocol.ecm import client as ecm_client
from protocol.entrance import client
from protocol.entrance.v1 import entrance_pb2_grpc
from protocol.jobhistory.client import Stub as JobHistory
from protocol.manager.client import Stub as Manager
from services.entrance import credentials
from services.entrance.api import app as rest
from services.entrance.artifact_uses import ArtifactUses
from services.entrance.artifacts import Artifacts
from services.entrance.dispatch import Parts
from services.entrance.engines import Engines
from services.entrance.grants import Grants
from services.entrance.idempotency import SubmitKeys
from services.entrance.instance import LEASE_RENEWALS, Instance
from services.entrance.intake import Intake
from services.entrance.jobs import Jobs
from services.entrance.logs import Logs
from services.entrance.retention import remove_old, remove_strays
from services.entrance.rpc import EntranceServicer
from services.entrance.savepoints import Savepoints
from services.entrance.serving import Serving
from services.entrance.users import Users
from services.entrance.workspace import Workspaces


class Entrance:
    """The public door. `url` is known from the start; it answers between `start` and `stop`."""

    def __init__(
        self,
        settings: Settings,
        db: Database,
        clock: Clock,
        address: str,
        jobhistory: JobHistory,
        manager: Manager,
        scrape: Scrape,
    ) -> None:
        self._serving = Serving(settings.host, settings.port)
        self.url = self._serving.url
        self._home = settings.home_folder
        storage = Storage(settings.storage_root)
        ecm_of = cache(ecm_client.connect)
        name = f"{settings.host}:{settings.port}" if settings.port else f"{settings.host}:{settings.home_folder.name}"
        self._grants = Grants(manager, name)
        parts = Parts(jobhistory, manager, ecm_of, self._grants, storage)
        self._instance = Instance(name, jobhistory, parts, settings.lease_seconds / LEASE_RENEWALS)
        engines = Engines(manager, settings.tenant_running_jobs)
        self._users = Users(db, clock, settings.session_seconds)
        savepoints = Savepoints(jobhistory, ecm_of)
        uses = ArtifactUses(db, clock, jobhistory)
        artifacts = Artifacts(db, clock, storage, uses, settings.artifact_mb * 2**20)
        jobs = Jobs(
            jobhistory,
            Intake(settings),
            SubmitKeys(db, clock),
            self._instance,
            Logs(jobhistory, storage, ecm_of),
            savepoints,
            storage,
            clock,
            artifacts,
        )
        self._workspaces = workspaces = Workspaces(settings.workspaces_folder)
        self._app = rest.build(
            jobs, artifacts, self._users, engines, savepoints, storage, workspaces, scrape, self._is_ready
        )
        self._server = rpc.Server(address)
        self._server.add(entrance_pb2_grpc.add_EntranceServicer_to_server, EntranceServicer(jobs, storage), client.NAME)
        self._sweeps = (
            ("removing what lets nobody in", partial(remove_old, db, clock)),
            ("forgetting which artifacts ended jobs used", uses.sweep),
            ("removing what is no artifact's", partial(remove_strays, db, clock, storage)),
        )
        self._sweep_seconds = settings.sweep_seconds
        self._loops: list[asyncio.Task[None]] = []
        self._clearing_uploads: asyncio.Future[None] | None = None
        self._ready = False

    async def start(self) -> None:
        path = self._home / "credentials.json"
        await self._users.first_administrator(partial(credentials.write_fresh, path, self.url))
        credentials.write_url(path, self.url)
        self._clearing_uploads = asyncio.ensure_future(asyncio.to_thread(self._workspaces.sweep, time.time()))
        every = self._sweep_seconds
        sweeps = (loops.repeat(what, sweep, every, first_seconds=every) for what, sweep in self._sweeps)
        running = (self._grants.read_for_ever(), *sweeps)
        self._loops = [asyncio.create_task(loop) for loop in running]
        await self._instance.start()
        await self._server.start()
        await self._serving.start(self._app)
        self._ready = True

    def _is_ready(self) -> bool:
        return self._ready and disk.has_room(self._home)

    async def stop(self) -> None:
        """Take nothing more; jobs stay where they are."""
        self._ready = False
        await self._serving.stop()
        await self._instance.stop()
        if self._clearing_uploads is not None:
            await self._clearing_uploads
        await loops.end(*self._loops)
        await self._server.stop()
