"""A node's daemon with real engine connections, and how to look at their processes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from commons.storage import Storage
from protocol.ecm.v1 import ecm_pb2 as pb
from protocol.engineconn.v1 import engineconn_pb2
from protocol.manager.v1 import manager_pb2
from protocol.types.v1 import types_pb2
from services.ecm.engines import Engines
from services.ecm.ledger import Ledger
from services.ecm.workdir import Folders, run_folder

MODULES = {
    "fake": "tests.support.fake_engine",
    "lasting": "tests.support.lasting_engine",
    "broken": "tests.support.no_such_engine",
}
READY, ENDED = manager_pb2.EngineReport.READY, manager_pb2.EngineReport.ENDED
LINE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} (INFO|WARN|ERROR) ")


@dataclass
class Node:
    """A node's daemon without its door; `restarted` is the next one on the same ledger."""

    home: Path
    engines: Engines

    @classmethod
    def on(cls, home: Path) -> Node:
        folders = Folders(home / "workspace", home / "engines-home", MODULES)
        storage = Storage(f"file://{home}/storage")
        return cls(home, Engines(Ledger(home / "node"), storage, run_folder(home), f"unix:{home}/no-ecm", folders))

    def restarted(self) -> Node:
        for engine in self.engines._engines.values():
            if engine.life is not None:
                engine.life.cancel()  # the last one is gone: it watches nothing any more
        node = Node.on(self.home)
        node.engines.attach()
        return node

    def create(self, engine_id: str = "e1", kind: str = "fake", **settings: str) -> None:
        self.engines.create(
            pb.EngineCreateRequest(
                engine_id=engine_id,
                tenant=types_pb2.Tenant(user="alice", creator="IDE"),
                labels=types_pb2.Labels(values={"kind": kind, "version": "1"}),
                resource=types_pb2.Resource(cores=1.0, memory=1 << 30),
                settings=settings,
            )
        )

    async def ready(self, engine_id: str = "e1", **settings: str) -> None:
        self.create(engine_id, **settings)
        await until(lambda: self.report(engine_id).state == READY)

    async def ended(self, engine_id: str = "e1") -> str:
        """Why, once the engine has ended."""
        await until(lambda: self.report(engine_id).state == ENDED)
        return self.report(engine_id).why

    async def stopped(self, engine_id: str = "e1") -> str:
        self.engines.terminate(engine_id)
        return await self.ended(engine_id)

    def report(self, engine_id: str) -> manager_pb2.EngineReport:
        return next(report for report in self.engines.report() if report.engine_id == engine_id)

    async def run(self, code: str, *, job: int = 1, epoch: int = 1) -> None:
        task = engineconn_pb2.Task(job_id=job, attempt=1, code=code, run_type="any", story=[STORY])
        await self.engines.tasks.run(pb.RunTaskRequest(engine_id="e1", epoch=epoch, task=task, location=f"jobs/{job}"))

    async def events(self, *, job: int = 1, after: int = 0) -> list[engineconn_pb2.TaskEvent]:
        """All events from `after` on to the end; their numbers are checked."""
        found: list[engineconn_pb2.TaskEvent] = []
        async with asyncio.timeout(30):
            async for batch in self.engines.tasks.folder(job, 1).watch(after):
                found.extend(batch)
        assert [event.number for event in found] == list(range(after + 1, after + len(found) + 1))
        assert [event for event in found if event.HasField("ended")] == found[-1:]
        return found

    async def said(self, text: str, *, job: int = 1) -> None:
        """Return when the task's log holds a line that ends so."""
        task = self.engines.tasks.folder(job, 1)
        await until(lambda: any(line.endswith(text) for line in task.read_log(0, 100_000)))

    def published(self, name: str, *, job: int = 1) -> Path:
        return self.home / "storage" / "jobs" / str(job) / name


STORY = "2026-01-01 10:00:00.001 INFO submitted"


async def until(true: Callable[[], bool], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.02)


def processes(folder: Path) -> list[psutil.Process]:
    """Everybody who works in a node's home: the connections and what their engines started."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def connection(home: Path) -> psutil.Process:
    """The engine connection itself, not the shell that waits for its exit code."""
    (found,) = (
        process
        for process in processes(home)
        if "services.engineconn" in process.cmdline() and process.name().startswith("python")
    )
    return found
