"""An engine for tests that does what the task's code says, in real processes: kills, signals and exit codes are real.

A task's code holds one instruction a line (`fake_work.perform`):

    log LEVEL TEXT | chat N          one line of the log; N of them, fast
    rows N | empty                   a result set of N rows (id, name); one without rows
    progress FRACTION
    sleep SECONDS | silent SECONDS   nothing is said meanwhile
    statement                        the next statement begins
    fail TEXT                        the task fails, with this reason
    exit CODE                        the task's process ends by itself
    die                              the engine's own process is killed, as when a JVM dies
    crash                            the engine connection is killed and leaves everything behind
    ignore-term                      from now on the task's process ignores SIGTERM; `cancel` does no more than that
    child                            leaves a process behind that nobody but the node's daemon looks for

The setting `open`, or HEADGATE_ENGINE_FAKE_OPEN, holds instructions for the opening: `log` tells progress, `fail` is
the reason why it does not open, `exit`, `die` and `crash` are deaths at birth, `sleep` makes it slow.

It has the operations `savepoint` and `suspend`: a file in the tenant's state folder. The log tells the artifacts that a
task has, and what it goes on from.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from commons.process.errors import Invalid, Unavailable
from protocol import codes
from services.engineconn.engine import (
    Engine,
    EngineSpec,
    Event,
    LogLine,
    Outcome,
    Progress,
    ResultOpened,
    Rows,
    Savepoint,
    SavepointKind,
    StatementEnded,
    StatementStarted,
    Task,
    TaskEnded,
)

SCHEMA = pa.schema([("id", pa.int64()), ("name", pa.string())])
ROWS_AT_ONCE = 1000
WORK = Path(__file__).with_name("fake_work.py")


def _shown(path: Path) -> str:
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return f"{path.stat().st_size} bytes"


def create() -> Engine:
    return Fake()


class Fake:
    """One process for the engine itself, one more for each task; both work in the tenant's workspace."""

    def __init__(self) -> None:
        self._engine: Process | None = None
        self._work: Process | None = None
        self._starting = asyncio.Lock()  # so that `close` finds a process that is only now coming to be
        self._running: tuple[int, int] | None = None
        self._cancelled: set[tuple[int, int]] = set()
        self._suspended = False
        self._news: asyncio.Queue[list[Any] | None] = asyncio.Queue()

    async def open(self, spec: EngineSpec, workdir: Path, say: Callable[[str], None]) -> None:
        self._workspace, self._state = spec.workspace, spec.state
        spec.workspace.mkdir(parents=True, exist_ok=True)
        opening = spec.settings.get("open", os.environ.get("HEADGATE_ENGINE_FAKE_OPEN", "log INFO opening"))
        self._engine = await self._start("engine", opening)
        reason = "its process ended"
        async for what, *more in _said(self._engine):
            if what == "ready":
                return
            if what == "log":
                say(more[1])
            elif what == "failed":
                (reason,) = more
        await self.close()
        raise Unavailable(codes.ENGINE_START_FAILED, f"the fake engine did not open: {reason}")

    async def run(self, task: Task) -> AsyncIterator[Event]:
        key = self._running = (task.job_id, task.attempt)
        statement, reason = -1, ""
        self._suspended, self._news = False, asyncio.Queue()
        for name, path in task.artifacts.items():
            yield LogLine("INFO", f"artifact {name}: {_shown(path)}")
        if task.resume:
            yield LogLine("INFO", f"goes on from {Path(task.resume).read_text()}")
        outcome = Outcome.CANCELLED
        async with self._starting:
            self._work = work = None if key in self._cancelled else await self._start("task", task.code)
        if work is not None:
            reading = asyncio.create_task(self._read(work))
            while (news := await self._news.get()) is not None:
                what, *more = news
                match what, more:
                    case "savepoint", [kind, path]:
                        yield Savepoint(max(statement, 0), SavepointKind(kind), path)
                    case "statement", [number, statements, text]:
                        statement = number
                        yield StatementStarted(number, statements, text, f"fake-{task.job_id}-{task.attempt}-{number}")
                    case "done", [number]:
                        statement = -1
                        yield StatementEnded(number, Outcome.SUCCEED, {"instructions": 1})
                    case "rows", [count]:
                        yield ResultOpened(statement, SCHEMA)
                        for start in range(0, count, ROWS_AT_ONCE):
                            yield Rows(_batch(start, min(start + ROWS_AT_ONCE, count)))
                    case "log", [level, text]:
                        yield LogLine(level, text)
                    case "progress", [fraction]:
                        yield Progress(fraction)
                    case "failed", [text]:
                        reason = text
            await reading
            code = await work.wait()
            if self._suspended:
                outcome, reason = Outcome.SUCCEED, "suspended"
            elif key not in self._cancelled:
                outcome = Outcome.FAILED if code else Outcome.SUCCEED
                reason = reason or (f"its process ended with exit code {code}" if code else "")
        self._running = None
        if statement >= 0:
            yield StatementEnded(statement, outcome)
        number = {Outcome.CANCELLED: codes.KILLED, Outcome.FAILED: codes.STATEMENT_FAILED}.get(outcome, 0)
        yield TaskEnded(outcome, number, "the job was killed" if outcome is Outcome.CANCELLED else reason)

    async def _read(self, work: Process) -> None:
        async for said in _said(work):
            self._news.put_nowait(said)
        self._news.put_nowait(None)

    async def operate(self, task: Task, operation: str, parameters: Mapping[str, str]) -> Mapping[str, str]:
        if operation not in ("savepoint", "suspend"):
            raise Invalid(codes.OPERATION_UNKNOWN, f"the fake engine has no {operation}", field="operation")
        path = self._state / "fake" / f"{task.job_id}-{operation}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"state of job {task.job_id}")
        self._news.put_nowait(["savepoint", operation, str(path)])
        if operation == "suspend" and self._work is not None:
            self._suspended = True
            self._work.terminate()
        return {"path": str(path)}

    async def cancel(self, task: Task) -> None:
        self._cancelled.add((task.job_id, task.attempt))
        async with self._starting:
            if self._running == (task.job_id, task.attempt) and self._work is not None:
                with contextlib.suppress(ProcessLookupError):
                    self._work.terminate()

    async def died(self) -> str:
        assert self._engine is not None
        return f"the fake engine's process ended with code {await self._engine.wait()}"

    async def close(self) -> None:
        if self._running is not None:
            self._cancelled.add(self._running)
        async with self._starting:
            for process in (self._work, self._engine):
                if process is not None and process.returncode is None:
                    with contextlib.suppress(ProcessLookupError):
                        process.kill()
                    await process.wait()

    async def _start(self, role: str, code: str) -> Process:
        engine_pid = self._engine.pid if self._engine is not None else 0
        return await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", str(WORK), role, str(engine_pid), str(os.getpid()), code,
            cwd=self._workspace, stdin=PIPE if role == "engine" else DEVNULL, stdout=PIPE, limit=1 << 20,
        )  # fmt: skip


async def _said(process: Process) -> AsyncIterator[list[Any]]:
    assert process.stdout is not None
    while raw := await process.stdout.readline():
        yield json.loads(raw)


def _batch(start: int, stop: int) -> pa.RecordBatch:
    ids = range(start, stop)
    return pa.record_batch([pa.array(ids, pa.int64()), pa.array([f"name {i}" for i in ids])], schema=SCHEMA)
