"""SeaTunnel as tests use it: an engine at work in a folder, and what its tasks gave."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import psutil

from commons.process.masking import Secrets
from commons.process.settings import Settings
from protocol import names
from services.engineconn.engine import (
    EngineSpec,
    Event,
    LogLine,
    Outcome,
    Progress,
    Rows,
    Savepoint,
    StatementEnded,
    StatementStarted,
    Task,
    TaskEnded,
)
from services.engineconn.seatunnel import files
from services.engineconn.seatunnel.engine import SeaTunnel

VERSION = names.ENGINE_VERSIONS["seatunnel"][0]
SOON_SECONDS = 60.0
_NUMBERS = count(1)
E = TypeVar("E")


def spec(folder: Path, tenant: Path | None = None, **settings: str) -> EngineSpec:
    """Of an engine that works in `folder`; `tenant` holds workspace and state when they are another engine's too."""
    own = Settings()
    of = tenant or folder
    given = {"seatunnel_home": own.seatunnel_home, "java_home": own.java_home, **settings}
    return EngineSpec(
        engine_id=folder.name, kind="seatunnel", version=VERSION, user="alice", creator="IDE", cores=0.5,
        memory=own.seatunnel_memory_mb << 20, engines_home=own.engines_folder, workspace=of / "workspace",
        state=of / "state", settings=given,
    )  # fmt: skip


async def found(folder: Path) -> files.Files:
    return await files.find(spec(folder), lambda line: None)


@dataclass
class Ran:
    """What a task has given so far."""

    task: Task
    events: list[Event] = field(default_factory=list)

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def ended(self) -> TaskEnded:
        last = self.events[-1]
        assert isinstance(last, TaskEnded)
        return last

    @property
    def metrics(self) -> Mapping[str, int]:
        (statement,) = self.of(StatementEnded)
        return statement.metrics

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [row for event in self.of(Rows) for row in event.batch.to_pylist()]

    @property
    def log(self) -> str:
        return "\n".join(f"{line.level} {line.text}" for line in self.of(LogLine))

    @property
    def engine_job_id(self) -> str:
        return self.of(StatementStarted)[0].engine_job_id

    @property
    def savepoints(self) -> list[Savepoint]:
        return self.of(Savepoint)

    @property
    def fractions(self) -> list[float]:
        return [event.fraction for event in self.of(Progress)]


@dataclass
class Zeta:
    """An engine at work; relative paths of its jobs lie in `workspace`."""

    engine: SeaTunnel
    folder: Path

    @property
    def workspace(self) -> Path:
        return self.folder / "workspace"

    def task(self, code: str, resume: str = "", **configuration: str) -> Task:
        given = {key.replace("__", "."): value for key, value in configuration.items()}
        return Task(next(_NUMBERS), 1, code, "szeta", given, Secrets.of(code), resume=resume)

    async def run(self, code: str, **configuration: str) -> Ran:
        async with self.running(code, **configuration) as (ran, working):
            await asyncio.wait_for(working, SOON_SECONDS)
        return ran

    @asynccontextmanager
    async def running(
        self, code: str, resume: str = "", **configuration: str
    ) -> AsyncIterator[tuple[Ran, asyncio.Task[None]]]:
        """A task and its end; one that still runs with the block is cancelled."""
        ran = Ran(self.task(code, resume, **configuration))

        async def read() -> None:
            async for event in self.engine.run(ran.task):
                ran.events.append(event)

        working = asyncio.create_task(read())
        try:
            yield ran, working
        finally:
            await self.engine.cancel(ran.task)
            await asyncio.wait_for(working, SOON_SECONDS)

    async def succeeds(self, code: str, **configuration: str) -> Ran:
        ran = await self.run(code, **configuration)
        assert ran.ended.outcome is Outcome.SUCCEED, f"{ran.ended.message}\n{ran.log}"
        return ran

    def written(self, folder: str) -> list[dict[str, Any]]:
        """The rows of a folder of JSON files, in the order of their ids."""
        files = (self.workspace / folder).glob("*.json")
        rows = [json.loads(line) for file in files for line in file.read_text().splitlines() if line]
        return sorted(rows, key=lambda row: row["id"])

    def process(self) -> psutil.Process:
        """The server's."""
        (process,) = [p for p in psutil.Process().children(recursive=True) if self._works_here(p)]
        return process

    def kill(self) -> None:
        os.kill(self.process().pid, signal.SIGKILL)

    def _works_here(self, process: psutil.Process) -> bool:
        try:
            return process.is_running() and Path(process.cwd()) == self.workspace
        except psutil.Error:
            return False


@asynccontextmanager
async def opened(folder: Path, tenant: Path | None = None) -> AsyncIterator[Zeta]:
    """An engine at work in `folder`, closed in the end."""
    (folder / "work").mkdir(parents=True, exist_ok=True)
    engine = SeaTunnel()
    try:
        await engine.open(spec(folder, tenant), folder / "work", lambda line: None)
        yield Zeta(engine, tenant or folder)
    finally:
        await engine.close()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON_SECONDS):
        while not true():
            await asyncio.sleep(0.05)
