"""SeaTunnel as an engine: a Zeta server of its own for each engine connection, driven through REST."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from commons.process.errors import Conflict, Invalid, Unavailable
from protocol import codes, names
from services.engineconn.engine import (
    Engine,
    EngineSpec,
    Event,
    LogLine,
    Outcome,
    Task,
    TaskEnded,
)
from services.engineconn.events import next_event
from services.engineconn.seatunnel import check, files, hocon, launch
from services.engineconn.seatunnel.classpath import ClassPath
from services.engineconn.seatunnel.job import Job, Plan, job_id
from services.engineconn.seatunnel.reach import Reach
from services.engineconn.seatunnel.server import NotStarted, Server
from services.engineconn.seatunnel.states import States
from services.engineconn.seatunnel.syntax import SyntaxFault

QUEUED_EVENTS = 16
SUSPEND_SECONDS = 120.0
REAP_SECONDS, SUBMITTED_SECONDS = 15.0, 120.0
"""How long a job whose end was not seen is asked to stop, once it is known, and until it is."""


def create() -> Engine:
    return SeaTunnel()


class SeaTunnel:
    """Opened once; a job of its server for each task."""

    def __init__(self) -> None:
        self._server: Server | None = None
        self._death: asyncio.Task[str] | None = None
        self._running: tuple[int, int] | None = None
        self._job: Job | None = None
        self._cancelled: set[tuple[int, int]] = set()
        self._reaping: set[asyncio.Task[None]] = set()

    async def open(self, spec: EngineSpec, workdir: Path, say: Callable[[str], None]) -> None:
        found = await files.find(spec, say)
        self._states = States(launch.checkpoints(spec))
        self._class_path = ClassPath(found.home, spec.version, _connectors(spec.version))
        self._reach = Reach(spec.workspace, spec.settings.get("seatunnel_paths", ""))
        say("Starting SeaTunnel's server")
        self._server = Server(spec, found, workdir)
        try:
            spec.workspace.mkdir(parents=True, exist_ok=True)
            await self._server.start()
        except (NotStarted, OSError) as error:
            await self.close()
            raise Unavailable(codes.ENGINE_START_FAILED, f"SeaTunnel did not start: {error}") from None
        self._death = asyncio.create_task(self._supervise(self._server))

    async def run(self, task: Task) -> AsyncIterator[Event]:
        key = self._running = (task.job_id, task.attempt)
        events: asyncio.Queue[Event] = asyncio.Queue(QUEUED_EVENTS)
        working = asyncio.create_task(self._work(task, events))
        event: Event | None = None
        try:
            while not isinstance(event := await next_event(events, working), TaskEnded):
                yield event
        finally:
            if not isinstance(event, TaskEnded):  # whoever read has gone
                working.cancel()
                if self._job is not None:
                    self._reap(self._job.plan.job_id)
            self._running = self._job = None
            self._cancelled.discard(key)
        yield event

    async def _work(self, task: Task, events: asyncio.Queue[Event]) -> None:
        assert self._server is not None
        planned = await self._planned(task, events)
        if isinstance(planned, TaskEnded):
            await events.put(planned)
            return
        job = self._job = Job(task, self._server, self._states, planned, events.put)
        if (task.job_id, task.attempt) in self._cancelled:
            job.cancelled.set()
        ended = await job.run()
        if job.unended:
            self._reap(planned.job_id)
        await events.put(ended)

    async def _planned(self, task: Task, events: asyncio.Queue[Event]) -> Plan | TaskEnded:
        """What is to run, or why it cannot."""
        try:
            resumed = await asyncio.to_thread(self._states.restore, task.resume) if task.resume else 0
            config = await asyncio.to_thread(_read, task)
            found = await asyncio.to_thread(check.look, config, self._class_path, self._reach)
        except SyntaxFault as fault:
            message = f"line {fault.line}, column {fault.column}: {task.secrets.mask(fault.message)}"
            return TaskEnded(Outcome.FAILED, codes.STATEMENT_INVALID, message)
        except Invalid as error:
            return TaskEnded(Outcome.FAILED, error.code, error.message)
        for level, lines in (("ERROR", found.faults[1:]), ("WARN", found.doubts)):
            for line in lines:
                await events.put(LogLine(level, line))
        if found.faults:
            more = f" (and {len(found.faults) - 1} more, see the log)" if len(found.faults) > 1 else ""
            message = task.secrets.mask(found.faults[0]) + more
            return TaskEnded(Outcome.FAILED, codes.STATEMENT_INVALID, message)
        return Plan(resumed or job_id(task), config, bool(resumed))

    async def cancel(self, task: Task) -> None:
        key = (task.job_id, task.attempt)
        self._cancelled.add(key)
        if self._running == key and self._job is not None:
            self._job.cancelled.set()

    async def operate(self, task: Task, operation: str, parameters: Mapping[str, str]) -> Mapping[str, str]:
        if operation != "suspend":
            raise Invalid(codes.OPERATION_UNKNOWN, f"SeaTunnel has no {operation}; it has: suspend", field="operation")
        job = self._job
        if job is None or self._running != (task.job_id, task.attempt):
            raise Conflict(codes.OPERATION_FAILED, "the job does not run")
        try:
            async with asyncio.timeout(SUSPEND_SECONDS):
                return {"path": await job.suspend()}
        except TimeoutError:
            what = f"SeaTunnel did not suspend the job within {SUSPEND_SECONDS:g} s"
            raise Unavailable(codes.OPERATION_FAILED, what) from None

    async def died(self) -> str:
        assert self._death is not None
        return await asyncio.shield(self._death)

    async def close(self) -> None:
        for task in (self._death, *self._reaping):
            if task is not None:
                task.cancel()
        if self._server is not None:
            await self._server.close()

    async def _supervise(self, server: Server) -> str:
        """Why the server is gone for good: a job that runs may start it again."""
        while True:
            gone = server.gone
            reason = await asyncio.shield(gone)
            while self._running is not None and server.gone is gone:
                await asyncio.sleep(0.05)
            if server.gone is gone:
                return reason

    def _reap(self, number: int) -> None:
        reaping = asyncio.create_task(self._reaped(number))
        self._reaping.add(reaping)
        reaping.add_done_callback(self._reaping.discard)

    async def _reaped(self, number: int) -> None:
        """Stop a job whose end was not seen. One that does not let go takes the server with it."""
        assert self._server is not None
        known = False
        with suppress(TimeoutError):
            async with asyncio.timeout(SUBMITTED_SECONDS) as limit:
                while not self._server.gone.done():
                    job = await self._server.rest.job(number)
                    if job is not None and job.ended:
                        return
                    if job is not None and not known:
                        known = True
                        limit.reschedule(asyncio.get_running_loop().time() + REAP_SECONDS)
                    await self._server.rest.stop(number, savepoint=False)
                    await asyncio.sleep(0.5)
        if known:
            self._server.end()


def _connectors(version: str) -> Mapping[str, tuple[str, ...]]:
    """The plug-ins of connectors that can be added to a version; of a version that we do not know, none."""
    try:
        return files.distribution(version).plugins
    except Invalid:
        return {}


def _read(task: Task) -> dict[str, Any]:
    given = {
        key.removeprefix(names.SEATUNNEL_VARIABLE): value
        for key, value in task.configuration.items()
        if key.startswith(names.SEATUNNEL_VARIABLE)
    }
    return check.normal(hocon.parse(task.code, given))
