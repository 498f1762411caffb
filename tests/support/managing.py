"""The manager's parts on a real database; time is turned by hand, nodes and job history are stand-ins."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from commons.database.connections import Database, Transaction
from commons.process.errors import HeadgateError
from commons.process.settings import Settings
from protocol.ecm.v1 import ecm_pb2
from protocol.jobhistory.v1 import jobhistory_pb2
from protocol.manager.v1 import manager_pb2 as pb
from protocol.values import JobRef, Labels, Resource, Tenant
from services import schema
from services.manager import store, store_requests
from services.manager.grants import grants
from services.manager.news import News
from services.manager.nodes import Nodes
from services.manager.reconcile import Reconcile
from services.manager.requests import Requests
from services.manager.rows import Engine
from services.manager.rpc import ManagerServicer
from services.manager.starting import Starting

GIB = 2**30
STARTING, READY, ENDED = pb.EngineReport.STARTING, pb.EngineReport.READY, pb.EngineReport.ENDED


class HandClock:
    """Stands still until it is turned."""

    def __init__(self) -> None:
        self._ms = 1_790_000_000_000

    def now_ms(self) -> int:
        return self._ms

    def turn(self, seconds: float) -> None:
        self._ms += int(seconds * 1000)


class FakeNode:
    """A node's daemon: notes what it is asked, and says `fault` instead when there is one."""

    def __init__(self) -> None:
        self.created: list[ecm_pb2.EngineCreateRequest] = []
        self.terminated: list[str] = []
        self.fault: HeadgateError | None = None

    @property
    def running(self) -> list[str]:
        return [asked.engine_id for asked in self.created if asked.engine_id not in self.terminated]

    async def CreateEngineConnection(self, request: ecm_pb2.EngineCreateRequest) -> ecm_pb2.EngineCreateReply:
        if self.fault is not None:
            raise self.fault
        self.created.append(request)
        return ecm_pb2.EngineCreateReply()

    async def TerminateEngineConnection(self, request: ecm_pb2.EngineTerminateRequest) -> ecm_pb2.EngineTerminateReply:
        if self.fault is not None:
            raise self.fault
        self.terminated.append(request.engine_id)
        return ecm_pb2.EngineTerminateReply()


class FakeHistory:
    """Knows which jobs have ended."""

    def __init__(self) -> None:
        self.ended: set[int] = set()

    async def WhichEnded(self, request: jobhistory_pb2.WhichEndedRequest) -> jobhistory_pb2.WhichEndedReply:
        return jobhistory_pb2.WhichEndedReply(job_ids=self.ended.intersection(request.job_ids))


class Managing:
    """Composed as the manager is, without its server and with no loop running."""

    def __init__(self, db: Database, settings: Settings, cores: float) -> None:
        self.db, self.settings, self.cores, self.clock = db, settings, cores, HandClock()
        self.node, self.history = FakeNode(), FakeHistory()
        self.restart()

    def restart(self) -> None:
        """A new manager on the rows of the one before."""
        self.news = News()
        self.requests = Requests(self.db, self.clock, self.settings, self.news)
        self.nodes = Nodes(self.db, self.clock, self.requests, self.news, self.history)
        parts = (self.requests, self.nodes)
        self.reconcile = Reconcile(self.db, self.clock, self.settings, self.news, parts, self.history)
        self.starting = Starting(
            self.db, self.clock, self.settings, self.news, self.requests, lambda address: self.node
        )
        self.door = ManagerServicer(self.db, self.requests, self.nodes, self.news)

    async def ask(
        self,
        job: int,
        user: str = "alice",
        creator: str = "IDE",
        *,
        attempt: int = 1,
        instance: str = "i",
        **labels: str,
    ) -> pb.EngineGrant:
        """Request an engine: a Flink 1, unless `labels` say else."""
        return await self.requests.request_engine(
            pb.EngineRequest(
                job_id=job, attempt=attempt, epoch=1, instance=instance, tenant=Tenant(user, creator).message(),
                labels=Labels.make({"kind": "flink", "version": "1", **labels}).message(),
            )
        )  # fmt: skip

    async def give(self, job: int, *, spoiled: bool = False) -> None:
        await self.requests.release_engine(JobRef(job, 1), spoiled=spoiled)

    async def grant(self, job: int) -> pb.EngineGrant:
        """Where the job's request stands."""
        async with self.db.read() as tx:
            return await self.grant_in(tx, job)

    async def grant_in(self, tx: Transaction, job: int) -> pb.EngineGrant:
        """Where it stands for one who is inside that transaction."""
        request = await store_requests.request(tx, JobRef(job, 1))
        assert request is not None
        return (await grants(tx, [request]))[0]

    async def states(self, *jobs: int) -> list[str]:
        return [pb.EngineGrant.State.Name((await self.grant(job)).state) for job in jobs]

    async def engines(self) -> list[Engine]:
        """Those that have not ended."""
        async with self.db.read() as tx:
            return await store.engines(tx)

    async def report(self, node: str = "n1", **engines: int) -> pb.NodeReportReply:
        """A heartbeat of a node with these engines: id=STARTING, READY or ENDED."""
        said = [pb.EngineReport(engine_id=id, state=state, why=f"as {node} says") for id, state in engines.items()]
        capacity = Resource(self.cores, 8 * GIB, 1000).message()
        address = f"unix:{node}"
        return await self.nodes.report(
            pb.NodeReport(node=node, incarnation="x", ecm_address=address, capacity=capacity, engines=said)
        )

    async def settle(self) -> None:
        """The node does what is wanted of it and says so."""
        await self.starting.round()
        ended = dict.fromkeys(self.node.terminated, ENDED)
        await self.report(**dict.fromkeys(self.node.running, READY), **ended)

    async def ready(self, *jobs: int) -> Sequence[str]:
        """Each job asks and has its engine: their ids."""
        for job in jobs:
            await self.ask(job)
        await self.settle()
        assert await self.states(*jobs) == ["READY"] * len(jobs)
        return [(await self.grant(job)).engine_id for job in jobs]

    async def metrics(self, node: str = "n1") -> pb.NodeMetrics:
        return await self.door.GetNodeMetrics(pb.NodeMetricsRequest(node=node), None)


@asynccontextmanager
async def managing(folder: Path, settings: Settings | None = None, *, cores: float = 8) -> AsyncIterator[Managing]:
    """A manager on a fresh SQLite file, and a node with that many cores and 8 GiB that has reported."""
    db = await Database.open(f"sqlite+aiosqlite:///{folder}/test.db")
    try:
        await schema.create(db, "test")
        manager = Managing(db, settings or Settings(), cores)
        await manager.report()
        yield manager
    finally:
        await db.close()
