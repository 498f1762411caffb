"""The shell as an engine: the smallest real example of the seam. One statement, one process group, one text result."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pyarrow as pa

from commons.process.errors import Unavailable
from protocol import codes, names
from services.engineconn.engine import (
    Engine,
    EngineSpec,
    Event,
    LogLine,
    Outcome,
    Progress,
    ResultOpened,
    Rows,
    StatementEnded,
    StatementStarted,
    Task,
    TaskEnded,
    environment,
)

SCHEMA = pa.schema([("line", pa.string())], metadata={"kind": names.TEXT_RESULT})
KILL_SECONDS = 1.5
DRAIN_SECONDS = 0.5
ROWS_AT_ONCE = 1000
LONGEST_LINE = 1024 * 1024


def create() -> Engine:
    return Shell()


class Shell:
    """Runs the code with bash (or sh) in the tenant's workspace: stdout is log and result, stderr is log."""

    def __init__(self) -> None:
        self._process: _Process | None = None
        self._readers: list[asyncio.Task[None]] = []
        self._heard = 0
        self._starting = asyncio.Lock()  # a process that is only now coming to be is killed as well
        self._exit_code: int | None = None
        self._running: tuple[int, int] | None = None
        self._cancelled: set[tuple[int, int]] = set()

    async def open(self, spec: EngineSpec, workdir: Path, say: Callable[[str], None]) -> None:
        self._workdir = workdir
        self._workspace = spec.workspace
        try:
            spec.workspace.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            what = f"the workspace {spec.workspace} cannot be made: {error.strerror}"
            raise Unavailable(codes.ENGINE_START_FAILED, what) from None

    async def run(self, task: Task) -> AsyncIterator[Event]:
        self._running = (task.job_id, task.attempt)
        yield StatementStarted(0, 1, task.code)
        yield ResultOpened(0, SCHEMA)
        last_error = ""
        async for event in self._lines(task):
            if isinstance(event, LogLine) and event.level == "WARN":
                last_error = event.text
            yield event
        self._running = None
        ended = self._ended(task, last_error)
        yield StatementEnded(0, ended.outcome)
        if ended.outcome is Outcome.SUCCEED:
            yield Progress(1.0)
        yield ended

    async def _lines(self, task: Task) -> AsyncIterator[Event]:
        script = self._workdir / f"task-{task.job_id}-{task.attempt}.sh"
        script.write_text(task.code)
        shell = shutil.which("bash") or "/bin/sh"
        lines: asyncio.Queue[tuple[str, str] | None] = asyncio.Queue(maxsize=ROWS_AT_ONCE)
        async with self._starting:
            if (task.job_id, task.attempt) in self._cancelled:
                return
            self._process = process = await _spawn(shell, script, self._workspace)
            assert process.stdout is not None and process.stderr is not None
            self._readers = [
                asyncio.create_task(_read(process.stdout, "INFO", lines)),
                asyncio.create_task(_read(process.stderr, "WARN", lines)),
            ]
        leaving = asyncio.create_task(self._end_with(process))
        try:
            open_streams = len(self._readers)
            while open_streams:
                first = await lines.get()
                self._heard += 1
                batch = [first]
                while not lines.empty() and len(batch) < ROWS_AT_ONCE:
                    batch.append(lines.get_nowait())
                open_streams -= batch.count(None)
                said = [line for line in batch if line is not None]
                for level, text in said:
                    yield LogLine(level, text)
                out = [text for level, text in said if level == "INFO"]
                if out:
                    yield Rows(pa.record_batch([pa.array(out, pa.string())], schema=SCHEMA))
            await process.exited.wait()
        finally:
            for helper in (leaving, *self._readers):
                helper.cancel()
            _kill_group(process)
            self._process, self._exit_code = None, process.returncode
            script.unlink(missing_ok=True)

    async def _end_with(self, process: _Process) -> None:
        """The task ends with its shell: who still holds the pipes in the background ends too, or is not heard."""
        await process.exited.wait()
        await asyncio.wait(self._readers, timeout=DRAIN_SECONDS)
        _kill_group(process)
        while any(not reader.done() for reader in self._readers):
            heard = self._heard
            await asyncio.wait(self._readers, timeout=DRAIN_SECONDS)
            if heard == self._heard:  # nothing more comes: a process that left the group holds the pipes
                for reader in self._readers:
                    reader.cancel()

    def _ended(self, task: Task, last_error: str) -> TaskEnded:
        if (task.job_id, task.attempt) in self._cancelled:
            self._cancelled.discard((task.job_id, task.attempt))
            return TaskEnded(Outcome.CANCELLED, codes.KILLED, "the job was killed")
        code = self._exit_code
        if code == 0:
            return TaskEnded(Outcome.SUCCEED)
        how = (
            f"The shell ended with exit code {code}"
            if code and code > 0
            else f"The shell was ended by signal {-(code or 0)}"
        )
        return TaskEnded(Outcome.FAILED, codes.EXIT_CODE, f"{how}: {last_error}" if last_error else how)

    async def cancel(self, task: Task) -> None:
        self._cancelled.add((task.job_id, task.attempt))
        if self._running == (task.job_id, task.attempt):
            await self._kill()

    async def _kill(self) -> None:
        async with self._starting:
            process = self._process
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(KILL_SECONDS):
                await process.exited.wait()
        _kill_group(process)
        if self._readers:  # they end with the pipes, which a process that left the group may still hold
            await asyncio.wait(self._readers, timeout=DRAIN_SECONDS)
        for reader in self._readers:
            reader.cancel()

    async def died(self) -> str:
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]  # never resolved

    async def close(self) -> None:
        if self._running is not None:
            self._cancelled.add(self._running)
        await self._kill()


class _Protocol(asyncio.subprocess.SubprocessStreamProtocol):
    def __init__(self) -> None:
        super().__init__(LONGEST_LINE, asyncio.get_running_loop())
        self.exited = asyncio.Event()

    def process_exited(self) -> None:
        super().process_exited()
        self.exited.set()


class _Process(asyncio.subprocess.Process):
    """`exited` is set when it has ended; `wait()` would also wait for everybody who holds its pipes."""

    def __init__(self, transport: asyncio.SubprocessTransport, protocol: _Protocol) -> None:
        super().__init__(transport, protocol, asyncio.get_running_loop())
        self.exited = protocol.exited


async def _spawn(shell: str, script: Path, folder: Path) -> _Process:
    return _Process(
        *await asyncio.get_running_loop().subprocess_exec(
            _Protocol, shell, str(script), cwd=folder, env=environment(), stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, process_group=0,
        )
    )  # fmt: skip


def _kill_group(process: _Process) -> None:
    """What outlived the shell ends too: nothing of a task goes on without it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


async def _read(stream: asyncio.StreamReader, level: str, lines: asyncio.Queue[tuple[str, str] | None]) -> None:
    """Put each line, and None at the end. A line without an end for too long is cut into pieces."""
    try:
        while True:
            try:
                raw = await stream.readuntil(b"\n")
            except asyncio.IncompleteReadError as error:
                raw = error.partial
            except asyncio.LimitOverrunError as error:
                raw = await stream.readexactly(error.consumed)
            if not raw:
                return
            await lines.put((level, raw.decode("utf-8", "replace").rstrip("\r\n")))
    finally:
        await lines.put(None)
