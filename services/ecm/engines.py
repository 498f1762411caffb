"""Engine connections on this node: prepare, spawn, ready, watch, stop, clean."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shutil
import sys
from pathlib import Path

from commons.process import disk, telemetry
from commons.process.clock import SystemClock
from commons.process.errors import Conflict, HeadgateError, Invalid, NotFound, Unavailable
from commons.storage import Storage
from protocol import codes
from protocol.ecm.v1 import ecm_pb2 as pb
from protocol.engineconn import client as engineconn
from protocol.engineconn.v1 import engineconn_pb2
from protocol.manager.v1 import manager_pb2
from services.ecm import connection, process, sweeping, workdir
from services.ecm.artifacts import Artifacts
from services.ecm.engine import Engine
from services.ecm.handing import Handing
from services.ecm.ledger import EngineEntry, Ledger, Stage

log = logging.getLogger(__name__)

POLL_SECONDS = 0.05
HEAR_SECONDS, MOST_SILENT = 1.0, 30
"""An engine connection from which nothing came in so many looks hangs; looks, since this process may have hung too."""
CLOSE_SECONDS = 3.0
TERM_SECONDS = 4.0
MOST_LIVES = 3
"""Connections that an engine with a task gets one after the other."""


class Engines:
    """All engine connections of the node. `changed` is set whenever a report would say something new."""

    def __init__(self, ledger: Ledger, storage: Storage, sockets: Path, address: str, folders: workdir.Folders) -> None:
        self._ledger = ledger
        self._sockets = sockets
        self._address = address
        self._folders = folders
        self._engines: dict[str, Engine] = {}
        self._states = Path(os.path.realpath(ledger.home / "state"))
        self._stubs: dict[str, engineconn.Stub] = {}
        self._artifacts = Artifacts(ledger.home / "artifacts", storage)
        self.tasks = Handing(ledger, storage, self._engines, self._stub, self._artifacts)
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
        self._artifacts.sweep()
        for entry in self._ledger.engines.values():
            engine = self._engines[entry.engine_id] = Engine(entry, detail=entry.why)
            for name, task in entry.tasks.items():
                self.tasks.remember(engine, name, task)
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
        self._spawn_process(engine)

    def _spawn_process(self, engine: Engine) -> None:
        entry = engine.entry
        folder = self._folder(entry)
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
        self.tasks.forget(*engine.entry.tasks)
        shutil.rmtree(self._ledger.folder(engine_id), ignore_errors=True)
        self._ledger.forget(engine_id)
        del self._engines[engine_id]

    def drop_savepoint(self, path: str) -> None:
        """Remove what an engine kept for its tenant under that name, and nothing else. Blocking."""
        kept = Path(os.path.realpath(path.removeprefix("file:")))
        if not kept.is_relative_to(os.path.realpath(self._states)) or len(kept.relative_to(self._states).parts) < 2:
            raise Invalid(codes.FIELD_INVALID, f"{path} is no savepoint of this node", field="path")
        if kept.is_dir():
            shutil.rmtree(kept, ignore_errors=True)
        else:
            kept.unlink(missing_ok=True)

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
            "state": str(self._states / request.tenant.user),
            "engines_home": str(self._folders.engines_home),
            "settings": dict(request.settings),
            "labels": dict(request.labels.values),
            "socket": str(self._socket(request.engine_id)),
            "ecm_address": self._address,
            "alone_seconds": self._folders.alone_seconds,
            "module": self._folders.modules.get(kind, f"services.engineconn.{kind}.engine"),
        }

    async def _watch(self, engine: Engine) -> None:
        """From spawn to exit: tells how the start goes on, when the engine is ready, and why it ended.

        A connection whose engine goes on without it is followed by another one.
        """
        await self._until_exit(engine)
        while self._goes_on(engine):
            self._spawn_again(engine)
            await self._until_exit(engine)
        entry = engine.entry
        process.kill_marked(self._marks(entry), process.Identity(entry.pid, entry.started, entry.boot))
        self._look(engine)
        self._end(engine, self._why(engine))

    async def _until_exit(self, engine: Engine) -> None:
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

    def _goes_on(self, engine: Engine) -> bool:
        """Whether a task of the engine, whose connection has died, can be taken up by the next one."""
        entry, folder = engine.entry, self._folder(engine.entry)
        if engine.terminating is not None or entry.stage is not Stage.READY or not entry.tasks:
            return False
        said = connection.state(folder)
        died = process.exit_code(folder) != 0 and entry.boot == process.boot_id()
        return said is not None and said.adopts and died and entry.lives < MOST_LIVES

    def _spawn_again(self, engine: Engine) -> None:
        entry, folder = engine.entry, self._folder(engine.entry)
        log.warning("engine %s: its connection died (%s); the next one takes it up", entry.engine_id, self._why(engine))
        for name in (connection.STATE, "rc"):
            (folder / name).unlink(missing_ok=True)
        self._stubs.pop(entry.engine_id, None)
        self._socket(entry.engine_id).unlink(missing_ok=True)
        engine.silent, entry.lives = 0, entry.lives + 1
        self._spawn_process(engine)

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
