"""Real Flinks for tests, in the smallest sizes that work."""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import zipfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from commons.process.settings import Settings
from protocol.flink.deployment import Deployment
from services.engineconn.engine import EngineSpec, Event, LogLine, Task
from services.engineconn.flink.engine import Flink
from tests.support.engines import collect

SMALL = Deployment("session", jobmanager_mb=256, taskmanager_mb=320, slots=2, taskmanagers=1)
_NUMBERS = itertools.count(1)


@dataclass
class At:
    """A task at work: what it said so far, and all of it once it has ended."""

    task: Task
    events: list[Event] = field(default_factory=list)
    working: asyncio.Task[list[Event]] | None = None

    @property
    def log(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, LogLine)]

    async def until(self, true: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
        async with asyncio.timeout(seconds):
            while not true():
                assert self.working is None or not self.working.done() or true(), f"{what}: ended, {self.events[-1]}"
                await asyncio.sleep(0.05)

    async def said(self, text: str) -> None:
        """Return when a line of the log holds the text."""
        await self.until(lambda: any(text in line for line in self.log), f"the log says {text!r}")


@dataclass
class Opened:
    """A Flink in `folder`."""

    engine: Flink
    folder: Path
    spec: EngineSpec

    def task(self, code: str, run_type: str = "sql", **more: Any) -> Task:
        return Task(next(_NUMBERS), 1, code, run_type, **more)

    def jar_task(self, jar: Path, *arguments: str, runtime: Mapping[str, str] | None = None, **code: Any) -> Task:
        """A run of CountJob with these arguments; `code` is what else its code says."""
        said = {"artifact": "count", "entryClass": "headgate.tests.CountJob", "arguments": arguments, **code}
        resume = said.pop("resume", "")
        return self.task(
            json.dumps({name: value for name, value in said.items() if value is not None}), "jar",
            artifacts={"count": jar}, configuration=runtime or {}, resume=resume,
        )  # fmt: skip

    async def run(self, task: Task) -> list[Event]:
        return await collect(self.engine, task, seconds=120)

    @asynccontextmanager
    async def at(self, task: Task) -> AsyncIterator[At]:
        """The task begins; it is cancelled at the end, when it still runs."""
        at = At(task)
        at.working = asyncio.create_task(collect(self.engine, task, at.events.append, seconds=180))
        try:
            yield at
        finally:
            if not at.working.done():
                await self.engine.cancel(task)
            await asyncio.wait({at.working}, timeout=30)


def jar(folder: Path, version: str, *, main_class: str = "") -> Path:
    """What lies in `java/`, the job CountJob and the function Shout, as a jar compiled for the version."""
    home = Settings().engines_folder / "flink" / version
    class_path = ":".join(str(one) for one in home.glob("lib/*.jar"))
    sources = [str(one) for one in (Path(__file__).parent / "java").glob("*.java")]
    made = folder / "classes"
    subprocess.run(["javac", "--release", "11", "-d", str(made), "-cp", class_path, *sources], check=True)
    file = folder / "count.jar"
    with zipfile.ZipFile(file, "w") as archive:
        if main_class:
            archive.writestr("META-INF/MANIFEST.MF", f"Manifest-Version: 1.0\nMain-Class: {main_class}\n")
        for one in sorted(made.rglob("*.class")):
            archive.write(one, str(one.relative_to(made)))
    return file


@asynccontextmanager
async def opened(
    folder: Path, version: str, deployment: Deployment, settings: Mapping[str, str] | None = None
) -> AsyncIterator[Opened]:
    (folder / "work").mkdir(parents=True)
    spec = EngineSpec(
        engine_id="e1", kind="flink", version=version, user="alice", creator="IDE", cores=1.0, memory=1 << 30,
        workspace=folder / "workspace", engines_home=Settings().engines_folder, state=folder / "state",
        settings=settings or {}, labels=deployment.labels(),
    )  # fmt: skip
    engine = Flink()
    try:
        await engine.open(spec, folder / "work", lambda line: None)
        yield Opened(engine, folder, spec)
    finally:
        await engine.close()
