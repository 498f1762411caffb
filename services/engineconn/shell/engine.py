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
)

SCHEMA = pa.schema([("line", pa.string())], metadata={"kind": names.TEXT_RESULT})
KILL_SECONDS = 1.5
ROWS_AT_ONCE = 1000
LONGEST_LINE = 1024 * 1024


def create() -> Engine:
    return Shell()


class Shell:
    """Runs the code with bash (or sh) in the tenant's workspace: stdout is log and result, stderr is log."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._cancelled: set[tuple[int, int]] = set()

    async def open(self, spec: EngineSpec, workdir: Path, say: Callable[[str], None]) -> None:
        self._workdir = workdir
        self._workspace = spec.workspace
        spec.workspace.mkdir(parents=True, exist_ok=True)

    async def run(self, task: Task) -> AsyncIterator[Event]:
        yield StatementStarted(0, 1, task.code)
        yield ResultOpened(0, SCHEMA)
        last_error = ""
        if (task.job_id, task.attempt) not in self._cancelled:
            async for event in self._lines(task):
                if isinstance(event, LogLine) and event.level == "WARN":
                    last_error = event.text
                yield event
        ended = self._ended(task, last_error)
        yield StatementEnded(0, ended.outcome)
        if ended.outcome is Outcome.SUCCEED:
            yield Progress(1.0)
        yield ended

    async def _lines(self, task: Task) -> AsyncIterator[Event]:
        script = self._workdir / f"task-{task.job_id}-{task.attempt}.sh"
        script.write_text(task.code)
        shell = shutil.which("bash") or "/bin/sh"
        self._process = process = await asyncio.create_subprocess_exec(
            shell, str(script), cwd=self._workspace, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE, limit=LONGEST_LINE, process_group=0,
        )  # fmt: skip
        if (task.job_id, task.attempt) in self._cancelled:
            await self._kill()
        lines: asyncio.Queue[tuple[str, str] | None] = asyncio.Queue(maxsize=ROWS_AT_ONCE)
        assert process.stdout is not None and process.stderr is not None
        readers = [
            asyncio.create_task(_read(process.stdout, "INFO", lines)),
            asyncio.create_task(_read(process.stderr, "WARN", lines)),
        ]
        try:
            open_streams = len(readers)
            while open_streams:
                first = await lines.get()
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
            await process.wait()
        finally:
            for reader in readers:
                reader.cancel()
            script.unlink(missing_ok=True)

    def _ended(self, task: Task, last_error: str) -> TaskEnded:
        if (task.job_id, task.attempt) in self._cancelled:
            self._cancelled.discard((task.job_id, task.attempt))
            return TaskEnded(Outcome.CANCELLED, codes.KILLED, "the job was killed")
        assert self._process is not None
        code = self._process.returncode
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
        await self._kill()

    async def _kill(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), KILL_SECONDS)
                break
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # children that outlived the shell

    async def died(self) -> str:
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]  # never resolved

    async def close(self) -> None:
        await self._kill()


async def _read(stream: asyncio.StreamReader, level: str, lines: asyncio.Queue[tuple[str, str] | None]) -> None:
    """Put each line, and None at the end. A line without an end for too long is cut into pieces."""
    while True:
        try:
            raw = await stream.readuntil(b"\n")
        except asyncio.IncompleteReadError as error:
            raw = error.partial
        except asyncio.LimitOverrunError as error:
            raw = await stream.readexactly(error.consumed)
        if not raw:
            await lines.put(None)
            return
        await lines.put((level, raw.decode("utf-8", "replace").rstrip("\r\n")))
