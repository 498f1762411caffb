"""SeaTunnel as tests use it: its files where settings say, and engines of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from commons.process.settings import Settings
from protocol import names
from services.engineconn.engine import Engine, EngineSpec
from services.engineconn.seatunnel import engine, files

VERSION = names.ENGINE_VERSIONS["seatunnel"][0]


def spec(folder: Path, **settings: str) -> EngineSpec:
    """Of an engine that works in `folder`."""
    own = Settings()
    given = {"seatunnel_home": own.seatunnel_home, "java_home": own.java_home, **settings}
    return EngineSpec(
        engine_id="e1", kind="seatunnel", version=VERSION, user="alice", creator="IDE", cores=0.5,
        memory=own.seatunnel_memory_mb << 20, workspace=folder / "workspace", engines_home=own.engines_folder,
        state=folder / "state", settings=given,
    )  # fmt: skip


async def found(folder: Path) -> files.Files:
    return await files.find(spec(folder), lambda line: None)


@asynccontextmanager
async def opened(folder: Path, create: Callable[[], Engine] = engine.create) -> AsyncIterator[Engine]:
    """An engine at work in `folder`, closed in the end."""
    (folder / "work").mkdir(parents=True, exist_ok=True)
    made = create()
    try:
        await made.open(spec(folder), folder / "work", lambda line: None)
        yield made
    finally:
        await made.close()
