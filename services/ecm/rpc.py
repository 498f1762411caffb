"""The gRPC door of a node's daemon."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from commons.process import telemetry
from protocol.ecm.v1 import ecm_pb2 as pb
from protocol.ecm.v1 import ecm_pb2_grpc
from protocol.engineconn.v1 import engineconn_pb2
from services.ecm.engines import Engines


class EcmServicer(ecm_pb2_grpc.EcmServicer):
    """Thin: each method hands its request to `Engines`."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    async def CreateEngineConnection(self, request: pb.EngineCreateRequest, context: Any) -> pb.EngineCreateReply:
        self._engines.create(request)
        return pb.EngineCreateReply()

    async def TerminateEngineConnection(
        self, request: pb.EngineTerminateRequest, context: Any
    ) -> pb.EngineTerminateReply:
        self._engines.terminate(request.engine_id)
        return pb.EngineTerminateReply()

    async def ReportEngineResourceUsage(self, request: pb.ResourceUsage, context: Any) -> pb.ResourceUsageReply:
        self._engines.used(request)
        return pb.ResourceUsageReply()

    async def GetEngineMetrics(self, request: pb.EngineMetricsRequest, context: Any) -> pb.EngineMetrics:
        return self._engines.metrics(request.engine_id)

    async def RunTask(self, request: pb.RunTaskRequest, context: Any) -> pb.RunTaskReply:
        with telemetry.step("hand over task", engine_id=request.engine_id):
            await self._engines.tasks.run(request)
        return pb.RunTaskReply()

    async def CancelTask(self, request: pb.CancelTaskRequest, context: Any) -> pb.CancelTaskReply:
        await self._engines.tasks.cancel(request)
        return pb.CancelTaskReply()

    async def OperateTask(self, request: engineconn_pb2.OperateRequest, context: Any) -> engineconn_pb2.OperateReply:
        return await self._engines.tasks.operate(request)

    async def WatchTask(self, request: pb.WatchTaskRequest, context: Any) -> AsyncIterator[pb.TaskEvents]:
        async for events in self._engines.tasks.folder(request.job_id, request.attempt).watch(request.after):
            yield pb.TaskEvents(events=events)

    async def DropSavepoint(self, request: pb.DropSavepointRequest, context: Any) -> pb.DropSavepointReply:
        await asyncio.to_thread(self._engines.drop_savepoint, request.path)
        return pb.DropSavepointReply()

    async def AckTask(self, request: pb.AckTaskRequest, context: Any) -> pb.AckTaskReply:
        await self._engines.tasks.ack(request)
        return pb.AckTaskReply()

    async def ReadTaskLog(self, request: pb.ReadTaskLogRequest, context: Any) -> pb.LogLines:
        folder = self._engines.tasks.folder(request.job_id, request.attempt)
        return pb.LogLines(lines=await asyncio.to_thread(folder.read_log, request.from_line, request.max_lines))
