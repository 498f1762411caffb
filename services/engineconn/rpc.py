"""The door of an engine connection: a unix socket that its ECM alone knows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import grpc

from commons.process import logs
from commons.process.errors import Conflict
from commons.process.masking import Secrets
from protocol import codes
from protocol.engineconn.v1 import engineconn_pb2 as pb
from protocol.engineconn.v1 import engineconn_pb2_grpc
from services.engineconn import engine as seam
from services.engineconn.runner import Runner

log = logging.getLogger(__name__)


class EngineConnServicer(engineconn_pb2_grpc.EngineConnServicer):
    """One task at a time on one engine; `tasks` is the folder of task folders."""

    def __init__(self, engine: seam.Engine, tasks: Path, close: Callable[[], None]) -> None:
        self._engine = engine
        self._tasks = tasks
        self._close = close
        self._runner: Runner | None = None
        self._known: set[tuple[int, int]] = set()
        self.running: asyncio.Task[None] | None = None
        self.failed = False
        """Whether a task's end could not be written down; the process ends then."""

    async def stop(self) -> None:
        """Have the running task end, since the engine does."""
        if self._runner is not None:
            await self._runner.stop()

    async def RunTask(
        self, request: pb.Task, context: grpc.aio.ServicerContext[pb.Task, pb.RunTaskReply]
    ) -> pb.RunTaskReply:
        key = (request.job_id, request.attempt)
        if key in self._known:
            return pb.RunTaskReply()
        if self.running is not None and not self.running.done():
            raise Conflict(codes.ENGINE_BUSY, "the engine runs another task; ask the manager for one that is free")
        configuration = dict(request.configuration)
        secrets = Secrets.of(request.code, configuration, Secrets(tuple(request.secrets)))
        artifacts = {name: Path(path) for name, path in request.artifacts.items()}
        task = seam.Task(*key, request.code, request.run_type, configuration, secrets, artifacts, request.resume)
        logs.keep_secret(secrets)
        self._runner = Runner(self._engine, task, self._tasks / f"{key[0]}-{key[1]}", list(request.story))
        self._known.add(key)
        self.running = asyncio.create_task(self._runner.run())
        self.running.add_done_callback(self._ran)
        return pb.RunTaskReply()

    def _ran(self, running: asyncio.Task[None]) -> None:
        """A task whose end could not be written down (a full disk) is left to the ECM, which has the last word."""
        if not running.cancelled() and (error := running.exception()) is not None:
            log.error("the task's end could not be written: %s", error)
            self.failed = True
            self._close()

    async def CancelTask(
        self, request: pb.CancelTaskRequest, context: grpc.aio.ServicerContext[pb.CancelTaskRequest, pb.CancelTaskReply]
    ) -> pb.CancelTaskReply:
        runner = self._runner
        if runner is not None and (runner.task.job_id, runner.task.attempt) == (request.job_id, request.attempt):
            await runner.cancel()
        return pb.CancelTaskReply()

    async def Operate(
        self, request: pb.OperateRequest, context: grpc.aio.ServicerContext[pb.OperateRequest, pb.OperateReply]
    ) -> pb.OperateReply:
        runner, running = self._runner, self.running
        here = runner is not None and (runner.task.job_id, runner.task.attempt) == (request.job_id, request.attempt)
        if runner is None or not here or running is None or running.done():
            raise Conflict(codes.TASK_CLOSED, f"job {request.job_id} does not run on this engine any more")
        return pb.OperateReply(result=await runner.operate(request.operation, request.parameters))

    async def Close(
        self, request: pb.CloseRequest, context: grpc.aio.ServicerContext[pb.CloseRequest, pb.CloseReply]
    ) -> pb.CloseReply:
        self._close()
        return pb.CloseReply()
