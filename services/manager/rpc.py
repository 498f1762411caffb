"""The gRPC door of the manager."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from typing import Any

from commons.database.connections import Database
from commons.process.errors import NotFound
from protocol import codes
from protocol.manager.v1 import manager_pb2 as pb
from protocol.manager.v1 import manager_pb2_grpc
from protocol.states.engine import EngineStatus
from protocol.values import JobRef
from services.manager import store, store_requests
from services.manager.grants import grants
from services.manager.news import News
from services.manager.nodes import Nodes
from services.manager.placement import used
from services.manager.requests import Requests
from services.manager.rows import RELEASED

WHOLE_AGAIN_SECONDS = 30.0


class ManagerServicer(manager_pb2_grpc.ManagerServicer):
    """Thin: requests and nodes do the work."""

    def __init__(self, db: Database, requests: Requests, nodes: Nodes, news: News) -> None:
        self._db = db
        self._requests = requests
        self._nodes = nodes
        self._news = news

    async def RequestEngine(self, request: pb.EngineRequest, context: Any) -> pb.EngineGrant:
        return await self._requests.request_engine(request)

    async def ReleaseEngine(self, request: pb.ReleaseEngineRequest, context: Any) -> pb.ReleaseEngineReply:
        await self._requests.release_engine(JobRef(request.job_id, request.attempt), spoiled=request.spoiled)
        return pb.ReleaseEngineReply()

    async def WatchRequests(self, request: pb.WatchRequestsRequest, context: Any) -> AsyncIterator[pb.RequestNews]:
        told: dict[JobRef, pb.EngineGrant] | None = None
        with self._news.listening() as listener:
            while True:
                changed = await listener.next(WHOLE_AGAIN_SECONDS)
                standing = await self._standing(request.instance, changed)
                before = told or {}
                news = [grant for job, grant in standing.items() if before.get(job) != grant]
                if news or told is None:
                    yield pb.RequestNews(requests=news)
                told = standing if changed is None else before | standing

    async def _standing(self, instance: str, jobs: Collection[JobRef] | None) -> dict[JobRef, pb.EngineGrant]:
        """Where the instance's requests stand that are not released: those of these jobs, or all."""
        async with self._db.read() as tx:
            if jobs is None:
                found = await store_requests.requests_of_instance(tx, instance)
            else:
                named = (await store_requests.requests_of(tx, jobs)).values()
                found = [each for each in named if each.instance == instance and each.state != RELEASED]
            told = await grants(tx, found) if found else []
        return {request.job: grant for request, grant in zip(found, told, strict=True)}

    async def ReportNode(self, request: pb.NodeReport, context: Any) -> pb.NodeReportReply:
        return await self._nodes.report(request)

    async def GetEngineStatus(self, request: pb.EngineStatusRequest, context: Any) -> pb.EngineStatus:
        async with self._db.read() as tx:
            engine = (await store.engines_by_id(tx, [request.engine_id])).get(request.engine_id)
        if engine is None:
            raise NotFound(codes.ENGINE_GONE, f"there is no engine {request.engine_id}", field="engine_id")
        return pb.EngineStatus(
            engine_id=engine.engine_id,
            status=engine.status,
            node=engine.node,
            tenant=engine.tenant.message(),
            labels=engine.labels.message(),
            resource=engine.resource.message(),
            job_id=engine.holder.job_id if engine.holder else 0,
            why=engine.why,
        )

    async def CountEngines(self, request: pb.EngineCountQuery, context: Any) -> pb.EngineCounts:
        period = request.created_from_ms, request.created_to_ms
        async with self._db.read() as tx:
            counts = await store.engine_counts(tx, request.user, request.creator, *period)
        ended = {wanted: counts.pop((EngineStatus.ENDED, wanted), 0) for wanted in ("stopped", "alive")}
        return pb.EngineCounts(
            total=sum(counts.values()) + sum(ended.values()),
            stopped=ended["stopped"],
            failed=ended["alive"],
            stopping=sum(count for (_, wanted), count in counts.items() if wanted == "stopped"),
        )

    async def GetNodeMetrics(self, request: pb.NodeMetricsRequest, context: Any) -> pb.NodeMetrics:
        async with self._db.read() as tx:
            node = next((node for node in await store.nodes(tx) if node.name == request.node), None)
            living = await store.engines(tx)
        if node is None:
            raise NotFound(codes.ENGINE_GONE, f"there is no node {request.node}", field="node")
        return pb.NodeMetrics(
            node=node.name,
            status="Alive" if node.alive else "Lost",
            capacity=node.capacity.message(),
            used=used(living)[node.name].message(),
            heartbeat_at_ms=node.heartbeat_at_ms,
        )
