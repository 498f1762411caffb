"""Tasks that engines of this node are given: handed over once, cancelled, operated on, dropped when acknowledged."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from commons.process.errors import Conflict, NotFound
from commons.storage import Storage
from protocol import codes
from protocol.ecm.v1 import ecm_pb2 as pb
from protocol.engineconn import client as engineconn
from protocol.engineconn.v1 import engineconn_pb2
from protocol.values import JobRef
from services.ecm.artifacts import Artifacts
from services.ecm.engine import Engine
from services.ecm.ledger import Ledger, Stage, TaskEntry
from services.ecm.tasks import TaskFolder

OPERATION_SECONDS = 600.0
"""What an operation may take; a savepoint of a large state takes its time."""


class Handing:
    """`engines` are those of the node by id, `stub` reaches the connection of one."""

    def __init__(
        self, ledger: Ledger, storage: Storage, engines: Mapping[str, Engine], stub: Callable[[str], engineconn.Stub],
        artifacts: Artifacts,
    ) -> None:  # fmt: skip
        self._ledger, self._storage, self._artifacts = ledger, storage, artifacts
        self._engines, self._stub = engines, stub
        self._tasks: dict[str, tuple[Engine, TaskFolder]] = {}

    async def run(self, request: pb.RunTaskRequest) -> None:
        """Hand a task to its engine, once. Refuses an older epoch, a closed task, and an engine that is not ready.

        ENGINE_GONE says that the engine never got the task; of an engine that is not known that cannot be said.
        """
        task, engine_id = request.task, request.engine_id
        self._fence(task.job_id, request.epoch)
        name = str(JobRef(task.job_id, task.attempt))
        self._refuse_closed(name)
        engine = self._engines.get(engine_id)
        if engine is None:
            if engine_id in self._ledger.terminated:
                raise Conflict(codes.ENGINE_GONE, f"engine {engine_id} has ended")
            raise NotFound(codes.TASK_UNKNOWN, f"engine {engine_id} is unknown on this node")
        async with engine.handing:
            self._refuse_closed(name)
            if engine.entry.stage is Stage.READY:
                await self._hand_over(engine, name, request)
            elif name not in engine.entry.tasks:  # the end of one that it had is told
                why = engine.entry.why or "not ready"
                raise Conflict(codes.ENGINE_GONE, f"engine {engine_id} takes no task: {why}")

    def _refuse_closed(self, name: str) -> None:
        if name in self._ledger.closed:
            raise Conflict(codes.TASK_CLOSED, f"task {name} was ended before it came")

    async def _hand_over(self, engine: Engine, name: str, request: pb.RunTaskRequest) -> None:
        """Also a task that is known: what the ledger has may not have reached the engine, which takes it once."""
        if name not in engine.entry.tasks:
            self._ledger.hand_over(name, TaskEntry(request.engine_id, request.location))
            self.remember(engine, name, engine.entry.tasks[name])
        await self._ledger.synced()
        try:
            await self._bring(request, self._tasks[name][1].folder)
            await self._stub(request.engine_id).RunTask(request.task)
        except Conflict:  # any other failure leaves it open whether the task runs
            self._ledger.take_back(name)
            self.forget(name)
            raise

    async def cancel(self, request: pb.CancelTaskRequest) -> None:
        """Ask the task to stop; one that has not come yet is not taken any more. Harmless when it has ended."""
        self._fence(request.job_id, request.epoch)
        name = str(JobRef(request.job_id, request.attempt))
        engine = self._of(name)
        if engine is None:
            self._ledger.close(name)
        await self._ledger.synced()
        if engine is not None and engine.entry.stage is Stage.READY:
            cancel = engineconn_pb2.CancelTaskRequest(job_id=request.job_id, attempt=request.attempt)
            await self._stub(engine.entry.engine_id).CancelTask(cancel)

    async def operate(self, request: engineconn_pb2.OperateRequest) -> engineconn_pb2.OperateReply:
        """Pass an operation on to the engine that runs the task. Raises Conflict without one, and what it raises."""
        engine = self._of(str(JobRef(request.job_id, request.attempt)))
        if engine is None or engine.entry.stage is not Stage.READY:
            raise Conflict(codes.TASK_CLOSED, f"job {request.job_id} does not run on this node any more")
        stub = self._stub(engine.entry.engine_id)
        reply: engineconn_pb2.OperateReply = await stub.Operate(request, timeout=OPERATION_SECONDS)
        return reply

    def _of(self, name: str) -> Engine | None:
        """The engine that has the task."""
        return next((engine for engine in self._engines.values() if name in engine.entry.tasks), None)

    async def _bring(self, request: pb.RunTaskRequest, folder: Path) -> None:
        """The files that the task uses lie in its folder, and it knows where."""
        for artifact in request.artifacts:
            file = await asyncio.to_thread(self._artifacts.bring, artifact, folder / "artifacts")
            request.task.artifacts[artifact.name] = str(file)

    def _fence(self, job_id: int, epoch: int) -> None:
        if not self._ledger.raise_epoch(job_id, epoch):
            raise Conflict(codes.NO_LONGER_YOURS, f"job {job_id} belongs to a later owner")

    def folder(self, job_id: int, attempt: int) -> TaskFolder:
        """The folder of a task that was handed over here. Raises NotFound."""
        held = self._tasks.get(str(JobRef(job_id, attempt)))
        if held is None:
            raise NotFound(codes.TASK_UNKNOWN, f"task {job_id}-{attempt} is not on this node")
        return held[1]

    async def ack(self, request: pb.AckTaskRequest) -> None:
        """Drop a task's folder: what it said is recorded elsewhere. It is not taken any more."""
        self._fence(request.job_id, request.epoch)
        self._drop(str(JobRef(request.job_id, request.attempt)))
        await self._ledger.synced()

    @property
    def jobs(self) -> set[int]:
        """The jobs whose tasks lie here."""
        return {int(name.partition("-")[0]) for name in self._tasks}

    def job_ended(self, job_id: int) -> None:
        """Drop a job's tasks whose acknowledgement was lost."""
        for name in [name for name in self._tasks if name.startswith(f"{job_id}-")]:
            self._drop(name)

    def _drop(self, name: str) -> None:
        held = self._tasks.get(name)
        if held is None:
            return
        self._ledger.close(name)
        shutil.rmtree(held[1].folder, ignore_errors=True)
        del self._tasks[name]

    def remember(self, engine: Engine, name: str, entry: TaskEntry) -> None:
        def gone() -> str | None:
            return engine.entry.why if engine.entry.stage is Stage.ENDED else None

        folder = self._ledger.folder(engine.entry.engine_id) / "tasks" / name
        self._tasks[name] = (engine, TaskFolder(folder, self._storage, entry.location, gone))

    def forget(self, *names: str) -> None:
        """These are no tasks of this node any more."""
        for name in names:
            self._tasks.pop(name, None)
