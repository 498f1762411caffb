"""The shell as an engine: scripts, and programs without a shell. One statement and one process group a task."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path

from commons.process.errors import Unavailable
from protocol import codes
from services.engineconn.engine import (
    Engine,
    EngineSpec,
    Event,
    Outcome,
    Progress,
    ResultOpened,
    StatementEnded,
    StatementStarted,
    Task,
)
from services.engineconn.shell.surroundings import Ground
from services.engineconn.shell.users import OsUser
from services.engineconn.shell.work import SCHEMA, Work


def create() -> Engine:
    return Shell()


class Shell:
    """Runs tasks in the tenant's workspace: stdout is log and result, stderr is log, files left are results.

    Its processes are the service's own OS user's, or of the OS user that the tenant has.
    """

    def __init__(self) -> None:
        self._ground: Ground | None = None
        self._running: tuple[tuple[int, int], Work] | None = None
        self._cancelled: set[tuple[int, int]] = set()

    async def open(self, spec: EngineSpec, workdir: Path, say: Callable[[str], None]) -> None:
        name = spec.labels.get("os_user", "")
        user = OsUser.of(name) if name else None
        try:
            spec.workspace.mkdir(mode=0o700, parents=True, exist_ok=True)
            if user is not None:
                user.settle(spec.workspace)
                await user.enter(spec.workspace, "HEADGATE_WORKSPACES")
            self._ground = Ground.make(spec.workspace, workdir, user)
            if user is not None:
                await user.enter(self._ground.tasks, "TMPDIR")
        except OSError as error:
            what = f"the workspace {spec.workspace} cannot be made: {error.strerror}"
            raise Unavailable(codes.ENGINE_START_FAILED, what) from None

    async def run(self, task: Task) -> AsyncIterator[Event]:
        assert self._ground is not None
        key = (task.job_id, task.attempt)
        work = Work(task, self._ground)
        work.cancelled = key in self._cancelled
        self._running = key, work
        try:
            yield StatementStarted(0, 1, task.code)
            yield ResultOpened(0, SCHEMA)
            async with aclosing(work.events()) as events:
                async for event in events:
                    yield event
        finally:
            self._running = None
            self._cancelled.discard(key)
        yield StatementEnded(0, work.ended.outcome)
        if work.ended.outcome is Outcome.SUCCEED:
            yield Progress(1.0)
        yield work.ended

    async def cancel(self, task: Task) -> None:
        key = (task.job_id, task.attempt)
        self._cancelled.add(key)
        if self._running is not None and self._running[0] == key:
            await self._running[1].kill()

    async def died(self) -> str:
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]  # never resolved

    async def close(self) -> None:
        if self._running is not None:
            await self._running[1].kill()
        if self._ground is not None:
            self._ground.remove()
