"""The door of an engine connection: a unix socket that its ECM alone knows."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

import grpc

from commons.process import logs
from commons.process.errors import Conflict
from commons.process.masking import Secrets
from protocol import codes, layout
from protocol.engineconn.v1 import engineconn_pb2 as pb
from protocol.engineconn.v1 import engineconn_pb2_grpc
from protocol.values import JobRef
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
        if isinstance(self._engine, seam.Adopts):
            self._keep(request)
        self._begin(request)
        return pb.RunTaskReply()

    def adopt(self) -> None:
        """Go on with the task that a connection before this one ran, if there is one."""
        for path in self._tasks.glob(f"*/{layout.TASK}"):
            self._begin(pb.Task.FromString(path.read_bytes()))

    def _begin(self, request: pb.Task) -> None:
        configuration = dict(request.configuration)
        secrets = Secrets.of(request.code, configuration, Secrets(tuple(request.secrets)))
        artifacts = {name: Path(path) for name, path in request.artifacts.items()}
        task = seam.Task(
            request.job_id, request.attempt, request.code, request.run_type, configuration, secrets, artifacts,
            request.resume,
        )  # fmt: skip
        logs.keep_secret(secrets)
        self._runner = Runner(self._engine, task, self._folder(request), list(request.story))
        self._known.add((request.job_id, request.attempt))
        self.running = asyncio.create_task(self._run(self._runner))
        self.running.add_done_callback(self._ran)

    async def _run(self, runner: Runner) -> None:
        await runner.run()
        (self._folder(runner.task) / layout.TASK).unlink(missing_ok=True)

    def _keep(self, request: pb.Task) -> None:
        """For the next connection, should this one die before the task has ended."""
        folder = self._folder(request)
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / ".task", "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(request.SerializeToString())
        (folder / ".task").rename(folder / layout.TASK)

    def _folder(self, task: pb.Task | seam.Task) -> Path:
        return self._tasks / str(JobRef(task.job_id, task.attempt))

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
