"""An engine that does nothing and says so at once: what remains is the way to it and back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from services.engineconn.engine import (
    Engine,
    EngineSpec,
    Event,
    LogLine,
    Outcome,
    StatementEnded,
    StatementStarted,
    Task,
    TaskEnded,
)


def create() -> Engine:
    return Instant()


class Instant:
    async def open(self, spec: EngineSpec, workdir: Path, say: Callable[[str], None]) -> None:
        spec.workspace.mkdir(parents=True, exist_ok=True)

    async def run(self, task: Task) -> AsyncIterator[Event]:
        yield StatementStarted(0, 1, task.code)
        yield LogLine("INFO", "done")
        yield StatementEnded(0, Outcome.SUCCEED)
        yield TaskEnded(Outcome.SUCCEED)

    async def cancel(self, task: Task) -> None: ...

    async def died(self) -> str:
        await asyncio.Event().wait()
        return ""

    async def close(self) -> None: ...
