"""One task: its process from start to exit, what it says meanwhile, and the result sets it leaves."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import shutil
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import pyarrow as pa

from commons.process.errors import Invalid
from protocol import codes, names
from services.engineconn import engine as seam
from services.engineconn.engine import Event, LogLine, Outcome, Rows, Task, TaskEnded
from services.engineconn.shell import output, places, process, request, results, surroundings

SCHEMA = pa.schema([("line", pa.string())], metadata={"kind": names.TEXT_RESULT})
DRAIN_SECONDS = 0.5
LONGEST_REASON = 900
_KILLED = TaskEnded(Outcome.CANCELLED, codes.KILLED, "the job was killed")


class _Stopped(Exception):
    """The task was killed while its files were read."""


class Work:
    """`ended` is how it ended, once `events` has given all."""

    def __init__(self, task: Task, ground: surroundings.Ground) -> None:
        self._task = task
        self._ground = ground
        self._process: process.Process | None = None
        self._readers: list[asyncio.Task[None]] = []
        self._heard = 0
        self._starting = asyncio.Lock()  # a process that is only now coming to be is killed as well
        self._last_error = ""
        self._late = False
        self.cancelled = False
        self.ended = _KILLED

    async def events(self) -> AsyncGenerator[Event, None]:
        """What the task says and leaves; the user's errors are told by `ended`, never raised."""
        try:
            asked = request.parse(self._task.run_type, self._task.code, self._task.configuration)
        except Invalid as error:
            self._fail(codes.STATEMENT_INVALID, error.message)
            return
        script = "" if asked.argv else self._task.code
        own = self._ground.folder(f"task-{self._task.job_id}-{self._task.attempt}", script)
        try:
            with contextlib.ExitStack() as stack:
                try:
                    folder = stack.enter_context(places.folder(self._ground.workspace, asked.folder))
                except OSError as error:
                    self._fail(codes.STATEMENT_INVALID, _no_folder(asked, error))
                    return
                async with aclosing(self._events(asked, folder, own)) as events:
                    async for event in events:
                        yield event
        finally:
            await asyncio.to_thread(own.remove)

    async def _events(
        self, asked: request.Request, folder: int, own: surroundings.TaskFolder
    ) -> AsyncGenerator[Event, None]:
        if (running := await self._start(asked, folder, own)) is None:
            return
        late = asyncio.create_task(self._expire(running, asked.timeout_seconds))
        try:
            async with aclosing(self._said(running)) as said:
                async for event in said:
                    yield event
        finally:
            late.cancel()
        self._end(running.returncode, asked.timeout_seconds)
        if self.cancelled or self._late:
            return
        with places.folder(own.results, ()) as left:
            async with aclosing(self._result_sets(asked, folder, left)) as sets:
                async for event in sets:
                    yield event

    async def _start(self, asked: request.Request, folder: int, own: surroundings.TaskFolder) -> process.Process | None:
        """The process; None when it was killed before, or cannot be started, which `ended` tells."""
        ground = self._ground
        variables = surroundings.environment(seam.environment(), asked.environment, self._task.job_id, ground, own)
        argv = asked.argv or (shutil.which("bash") or "/bin/sh", str(own.script))
        async with self._starting:
            if self.cancelled:
                return None
            try:
                self._process = running = await process.spawn(argv, folder, variables, ground.user)
            except OSError as error:
                self._fail(codes.STATEMENT_INVALID, _not_started(argv, error, variables["PATH"]))
                return None
            assert running.stdout is not None and running.stderr is not None
            self._pieces = output.Pieces()
            self._readers = [
                asyncio.create_task(output.read(running.stdout, "INFO", self._pieces)),
                asyncio.create_task(output.read(running.stderr, "WARN", self._pieces)),
            ]
        return running

    async def _said(self, running: process.Process) -> AsyncGenerator[Event, None]:
        leaving = asyncio.create_task(self._end_with(running))
        try:
            open_streams = len(self._readers)
            while open_streams:
                pieces = await self._pieces.get()
                self._heard += 1
                if pieces is None:
                    open_streams -= 1
                    continue
                for piece in pieces:
                    if piece.begins:  # of a line in pieces a secret may be cut in two: the log has the first alone
                        yield LogLine(piece.level, piece.text)
                if pieces[0].level == "INFO":
                    lines = pa.array([piece.text for piece in pieces], pa.string())
                    yield Rows(pa.record_batch([lines], schema=SCHEMA))
                elif begun := [piece.text for piece in pieces if piece.begins]:
                    self._last_error = begun[-1]
                await asyncio.sleep(0)  # a process that says much must not keep a kill back
            await running.exited.wait()
        finally:
            running.kill_group()
            self._process = None
            for helper in (leaving, *self._readers):
                helper.cancel()

    async def _end_with(self, running: process.Process) -> None:
        """The task ends with its process: who still holds the pipes in the background ends too, or is not heard."""
        await running.exited.wait()
        await asyncio.wait(self._readers, timeout=DRAIN_SECONDS)
        running.kill_group()
        while any(not reader.done() for reader in self._readers):
            heard = self._heard
            await asyncio.wait(self._readers, timeout=DRAIN_SECONDS)
            if heard == self._heard:  # nothing more comes: a process that left the group holds the pipes
                for reader in self._readers:
                    reader.cancel()

    async def _expire(self, running: process.Process, seconds: float | None) -> None:
        if seconds is None:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(running.exited.wait(), seconds)
            return
        self._late = True
        await self._stop(running)

    async def kill(self) -> None:
        """End the task, whatever it is at."""
        self.cancelled = True
        async with self._starting:
            running = self._process
        if running is not None:
            await self._stop(running)

    async def _stop(self, running: process.Process) -> None:
        await running.end()
        if self._readers:  # they end with the pipes, which a process that left the group may still hold
            await asyncio.wait(self._readers, timeout=DRAIN_SECONDS)
        for reader in self._readers:
            reader.cancel()

    async def _result_sets(self, asked: request.Request, folder: int, left: int) -> AsyncGenerator[Event, None]:
        owner = self._ground.user.uid if self._ground.user is not None else None
        try:
            found, warnings = await asyncio.to_thread(results.find, folder, asked.results, left)
            for warning in warnings:
                yield LogLine("WARN", warning)
            number = 1  # the text is 0
            for file in found:
                async with aclosing(results.rows(file, number, owner, self._pause)) as rows:
                    async for event in rows:
                        number += isinstance(event, seam.ResultOpened)
                        yield event
        except _Stopped:
            self.ended = _KILLED

    def _pause(self) -> None:
        if self.cancelled:
            raise _Stopped

    def _end(self, code: int | None, seconds: float | None) -> None:
        if self.cancelled:
            return
        if self._late:
            self._fail(codes.TIME_LIMIT, f"The program was ended after {seconds:g} s, the limit of timeoutSeconds")
        elif code == 0:
            self.ended = TaskEnded(Outcome.SUCCEED)
        else:
            what = "program" if self._task.run_type == request.EXEC else "shell"
            how = f"ended with exit code {code}" if code and code > 0 else f"was ended by signal {-(code or 0)}"
            reason = self._task.secrets.mask(self._last_error)[:LONGEST_REASON]
            self._fail(codes.EXIT_CODE, f"The {what} {how}: {reason}" if reason else f"The {what} {how}")

    def _fail(self, code: int, why: str) -> None:
        self.ended = TaskEnded(Outcome.FAILED, code, " ".join(why.split()))


def _no_folder(asked: request.Request, error: OSError) -> str:
    name = "/".join(asked.folder)[:100]
    link = error.errno in (errno.ELOOP, errno.ENOTDIR)
    why = "it, or one above it, is a file or a symbolic link" if link else error.strerror
    return f"folder {name!r} cannot be used: {why}; name a folder within the workspace"


def _not_started(argv: Sequence[str], error: OSError, path: str) -> str:
    program = argv[0][:100]
    if error.errno == errno.ENOENT:
        where = "relative to the folder" if "/" in program else f"in PATH ({path[:300]})"
        return f"there is no program {program!r} {where}; install it, or give its whole path as the first of argv"
    return f"the program {program!r} cannot be started: {error.strerror}"
