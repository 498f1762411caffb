"""Engine connections on this node: prepare, spawn, ready, watch, stop, clean; and the tasks they were given."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

from commons.process import disk, telemetry
from commons.process.clock import SystemClock
from commons.process.errors import Conflict, HeadgateError, NotFound, Unavailable
from commons.storage import Storage
from protocol import codes
from protocol.ecm.v1 import ecm_pb2 as pb
from protocol.engineconn import client as engineconn
from protocol.engineconn.v1 import engineconn_pb2
from protocol.manager.v1 import manager_pb2
from protocol.values import JobRef
from services.ecm import connection, process, sweeping, workdir
from services.ecm.ledger import EngineEntry, Ledger, Stage, TaskEntry
from services.ecm.tasks import TaskFolder

log = logging.getLogger(__name__)

POLL_SECONDS = 0.05
HEAR_SECONDS, MOST_SILENT = 1.0, 30
"""An engine connection from which nothing came in so many looks hangs; looks, since this process may have hung too."""
CLOSE_SECONDS = 3.0
TERM_SECONDS = 4.0


@dataclass(slots=True)
class Engine:
    """One engine connection as this daemon holds it in memory; `entry` is what the ledger keeps."""

    entry: EngineEntry
    life: asyncio.Task[None] | None = None
    detail: str = ""
    usage: pb.ResourceUsage = field(default_factory=pb.ResourceUsage)
    terminating: asyncio.Task[None] | None = None
    launch: telemetry.Step = telemetry.NO_STEP
    """From its spawn until it is ready or has ended."""
    silent: int = 0
    """Looks since it last told what it uses."""
    handing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a task is handed over."""


class Engines:
    """All engine connections of the node. `changed` is set whenever a report would say something new."""

    def __init__(self, ledger: Ledger, storage: Storage, sockets: Path, address: str, folders: workdir.Folders) -> None:
        self._ledger = ledger
        self._storage = storage
        self._sockets = sockets
        self._address = address
        self._folders = folders
        self._engines: dict[str, Engine] = {}
        self._tasks: dict[str, tuple[Engine, TaskFolder]] = {}
        self._stubs: dict[str, engineconn.Stub] = {}
        self.changed = asyncio.Event()

    @property
    def any_alive(self) -> bool:
        return any(engine.entry.stage is not Stage.ENDED for engine in self._engines.values())

    @property
    def memory(self) -> int:
        """Bytes that the engines say they use."""
        living = (engine for engine in self._engines.values() if engine.entry.stage is not Stage.ENDED)
        return sum(engine.usage.memory for engine in living)

    def attach(self) -> None:
        """Take up what an earlier daemon left: processes that still run are watched again, the others have ended.

        A start that was interrupted is undone: the manager asks for it again.
        """
        sweeping.sweep(self._ledger, self._sockets)
        for entry in self._ledger.engines.values():
            engine = self._engines[entry.engine_id] = Engine(entry, detail=entry.why)
            for name, task in entry.tasks.items():
                self._remember_task(engine, name, task)
            for folder in (self._folder(entry) / "tasks").glob("*"):
                if folder.name not in entry.tasks:  # it was closed, and then there was no time to remove it
                    shutil.rmtree(folder, ignore_errors=True)
            if entry.stage is not Stage.ENDED:
                if entry.stage is Stage.SPAWNED:
                    with telemetry.continued(entry.traceparent):
                        engine.launch = telemetry.begin("launch engine", engine_id=entry.engine_id)
                engine.life = asyncio.create_task(self._watch(engine))

    def create(self, request: pb.EngineCreateRequest) -> None:
        """Start an engine connection; returns once its start is on disk. A known id is left as it is.

        Raises Unavailable, and nothing is left, when there is no room for it.
        """
        engine_id = request.engine_id
        if engine_id in self._ledger.terminated:
            raise Conflict(codes.ENGINE_GONE, f"engine {engine_id} was terminated; ask for a new one")
        if engine_id in self._engines:
            return
        entry = EngineEntry(engine_id, started_at_ms=SystemClock().now_ms(), traceparent=telemetry.traceparent())
        engine = Engine(entry, launch=telemetry.begin("launch engine", engine_id=engine_id))
        try:
            with disk.told(self._folder(entry)):
                self._spawn(engine, request)
        except Unavailable:
            engine.launch.end("Unavailable")
            sweeping.undo(self._ledger, entry)
            raise
        except OSError as error:
            process.kill_marked(self._marks(entry))
            self._engines[engine_id] = engine
            self._end(engine, f"its process could not be started: {error}")
            return
        self._engines[engine_id] = engine
        engine.life = asyncio.create_task(self._watch(engine))
        log.info("engine %s starts: %s", engine_id, dict(request.labels.values))

    def _spawn(self, engine: Engine, request: pb.EngineCreateRequest) -> None:
        entry = engine.entry
        folder = self._folder(entry)
        folder.mkdir(parents=True, exist_ok=True)
        self._ledger.save(entry)
        (folder / "spec.json").write_text(json.dumps(self._spec(request)))
        argv = [sys.executable, "-P", "-m", "services.engineconn", "--spec", str(folder / "spec.json")]
        marked = workdir.environment(entry.engine_id, self._ledger.home, engine.launch.traceparent)
        identity = process.spawn(argv, folder, marked)
        entry.pid, entry.started, entry.boot = identity.pid, identity.started, identity.boot
        entry.stage = Stage.SPAWNED
        self._ledger.save(entry)

    def terminate(self, engine_id: str) -> None:
        """Begin to stop an engine; the report says when it is gone. An unknown id can then not be created any more."""
        engine = self._engines.get(engine_id)
        if engine is None:
            self._ledger.bury(engine_id)
        elif engine.entry.stage is not Stage.ENDED and engine.terminating is None:
            engine.terminating = asyncio.create_task(self._terminate(engine))

    async def end_all(self) -> None:
        """Stop every engine and wait until all are gone."""
        for engine_id in list(self._engines):
            self.terminate(engine_id)
        await self.terminated()

    async def terminated(self, at_most_seconds: float | None = None) -> None:
        """Return when every engine that was told to stop is gone, or when the time is over."""
        waits = [engine.terminating for engine in self._engines.values() if engine.terminating is not None]
        if waits:
            await asyncio.wait(waits, timeout=at_most_seconds)

    def forget(self, engine_id: str) -> None:
        """Drop an ended engine whose tasks are all acknowledged, or too old to be asked for any more."""
        engine = self._engines.get(engine_id)
        if engine is None or engine.entry.stage is not Stage.ENDED:
            return
        if engine.entry.tasks and SystemClock().now_ms() - engine.entry.ended_at_ms < self._folders.kept_ms:
            return
        self._ledger.bury(engine_id, *engine.entry.tasks)
        for name in engine.entry.tasks:
            self._tasks.pop(name, None)
        shutil.rmtree(self._ledger.folder(engine_id), ignore_errors=True)
        self._ledger.forget(engine_id)
        del self._engines[engine_id]

    def report(self) -> list[manager_pb2.EngineReport]:
        """Every engine here, as the manager wants to know it."""
        states = {Stage.READY: manager_pb2.EngineReport.READY, Stage.ENDED: manager_pb2.EngineReport.ENDED}
        return [
            manager_pb2.EngineReport(
                engine_id=engine_id,
                state=states.get(engine.entry.stage, manager_pb2.EngineReport.STARTING),
                why=engine.entry.why or engine.detail,
            )
            for engine_id, engine in self._engines.items()
        ]

    async def run_task(self, request: pb.RunTaskRequest) -> None:
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
            self._remember_task(engine, name, engine.entry.tasks[name])
        await self._ledger.synced()
        try:
            await self._stub(request.engine_id).RunTask(request.task)
        except Conflict:  # any other failure leaves it open whether the task runs
            self._ledger.take_back(name)
            self._tasks.pop(name, None)
            raise

    async def cancel_task(self, request: pb.CancelTaskRequest) -> None:
        """Ask the task to stop; one that has not come yet is not taken any more. Harmless when it has ended."""
        self._fence(request.job_id, request.epoch)
        name = str(JobRef(request.job_id, request.attempt))
        engine = next((engine for engine in self._engines.values() if name in engine.entry.tasks), None)
        if engine is None:
            self._ledger.close(name)
        await self._ledger.synced()
        if engine is not None and engine.entry.stage is Stage.READY:
            cancel = engineconn_pb2.CancelTaskRequest(job_id=request.job_id, attempt=request.attempt)
            await self._stub(engine.entry.engine_id).CancelTask(cancel)

    def _fence(self, job_id: int, epoch: int) -> None:
        if not self._ledger.raise_epoch(job_id, epoch):
            raise Conflict(codes.NO_LONGER_YOURS, f"job {job_id} belongs to a later owner")

    def task(self, job_id: int, attempt: int) -> TaskFolder:
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

    def used(self, usage: pb.ResourceUsage) -> None:
        """Keep what an engine connection says it uses."""
        engine = self._engines.get(usage.engine_id)
        if engine is None:
            raise NotFound(codes.ENGINE_GONE, f"engine {usage.engine_id} is not on this node")
        engine.usage, engine.silent = usage, 0

    def metrics(self, engine_id: str) -> pb.EngineMetrics:
        """What is known of an engine. Raises NotFound."""
        engine = self._engines.get(engine_id)
        if engine is None:
            raise NotFound(codes.ENGINE_GONE, f"engine {engine_id} is not on this node")
        return pb.EngineMetrics(
            engine_id=engine_id,
            state=engine.entry.stage.value,
            usage=engine.usage,
            started_at_ms=engine.entry.started_at_ms,
            tasks_run=len(engine.entry.tasks),
        )

    def _spec(self, request: pb.EngineCreateRequest) -> dict[str, object]:
        kind = request.labels.values["kind"]
        return {
            "engine_id": request.engine_id,
            "kind": kind,
            "version": request.labels.values["version"],
            "user": request.tenant.user,
            "creator": request.tenant.creator,
            "cores": request.resource.cores,
            "memory": request.resource.memory,
            "workspace": str(self._folders.workspaces / request.tenant.user),
            "engines_home": str(self._folders.engines_home),
            "settings": dict(request.settings),
            "socket": str(self._socket(request.engine_id)),
            "ecm_address": self._address,
            "alone_seconds": self._folders.alone_seconds,
            "module": self._folders.modules.get(kind, f"services.engineconn.{kind}.engine"),
        }

    async def _watch(self, engine: Engine) -> None:
        """From spawn to exit: tells how the start goes on, when the engine is ready, and why it ended."""
        entry = engine.entry
        identity = process.Identity(entry.pid, entry.started, entry.boot)
        exiting = asyncio.create_task(process.exited(identity))
        while not exiting.done():
            if entry.stage is Stage.SPAWNED:
                self._look(engine)
                await asyncio.wait({exiting}, timeout=POLL_SECONDS)
            else:
                await asyncio.wait({exiting}, timeout=HEAR_SECONDS)
                engine.silent += 1
                if engine.silent == MOST_SILENT:
                    log.warning("engine %s is silent: it is ended", entry.engine_id)
                    await process.end(identity, TERM_SECONDS)
        process.kill_marked(self._marks(entry), identity)
        self._look(engine)
        self._end(engine, self._why(engine))

    def _why(self, engine: Engine) -> str:
        if engine.terminating is not None:
            return "stopped"
        if engine.silent >= MOST_SILENT:
            return f"its process did not answer for {MOST_SILENT * HEAR_SECONDS:.0f} s and was ended"
        return connection.reason(self._folder(engine.entry), engine.entry.boot)

    def _look(self, engine: Engine) -> None:
        said = connection.state(self._folder(engine.entry))
        if said is None or engine.entry.stage is not Stage.SPAWNED:
            return
        if said.stage == engineconn_pb2.ConnectionState.READY:
            engine.entry.stage = Stage.READY
            self._ledger.note(engine.entry)
            engine.launch.end()
            log.info("engine %s is ready", engine.entry.engine_id)
        elif said.detail == engine.detail:
            return
        engine.detail = said.detail
        self.changed.set()

    def _end(self, engine: Engine, why: str) -> None:
        engine.entry.stage, engine.entry.why, engine.entry.ended_at_ms = Stage.ENDED, why, SystemClock().now_ms()
        self._ledger.note(engine.entry)
        engine.launch.end("NotReady")
        self._stubs.pop(engine.entry.engine_id, None)
        self._socket(engine.entry.engine_id).unlink(missing_ok=True)
        self.changed.set()
        log.info("engine %s ended: %s", engine.entry.engine_id, why)

    async def _terminate(self, engine: Engine) -> None:
        entry = engine.entry
        identity = process.Identity(entry.pid, entry.started, entry.boot)
        if entry.stage is Stage.READY:
            with contextlib.suppress(HeadgateError):
                await self._stub(entry.engine_id).Close(engineconn_pb2.CloseRequest(), timeout=CLOSE_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await process.exited(identity)
        await process.end(identity, TERM_SECONDS)
        if engine.life is not None:
            await engine.life

    def _remember_task(self, engine: Engine, name: str, entry: TaskEntry) -> None:
        def gone() -> str | None:
            return engine.entry.why if engine.entry.stage is Stage.ENDED else None

        folder = TaskFolder(self._folder(engine.entry) / "tasks" / name, self._storage, entry.location, gone)
        self._tasks[name] = (engine, folder)

    def _stub(self, engine_id: str) -> engineconn.Stub:
        if engine_id not in self._stubs:
            self._stubs[engine_id] = engineconn.connect(f"unix:{self._socket(engine_id)}")
        return self._stubs[engine_id]

    def _folder(self, entry: EngineEntry) -> Path:
        return self._ledger.folder(entry.engine_id)

    def _marks(self, entry: EngineEntry) -> dict[str, str]:
        return workdir.marks(entry.engine_id, self._ledger.home)

    def _socket(self, engine_id: str) -> Path:
        return self._sockets / f"{engine_id}.sock"
