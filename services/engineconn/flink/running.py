"""One task at work: its events in one row, from the work itself, from Flink's progress and from what Flink logs."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol

from commons.process.errors import Conflict, HeadgateError
from protocol import codes
from services.engineconn.engine import (
    Event,
    LogLine,
    Outcome,
    Progress,
    Savepoint,
    SavepointKind,
    Task,
    TaskEnded,
)
from services.engineconn.events import next_event
from services.engineconn.flink import operations
from services.engineconn.flink.process import Process
from services.engineconn.flink.rest import Rest, fraction
from services.engineconn.flink.states import States
from services.engineconn.tail import tail, tail_log

POLL_SECONDS, SLOWEST_SECONDS = 0.2, 2.0
CANCEL_SECONDS = 5.0
QUEUED_EVENTS = 16


class Work(Protocol):
    """What a task is on Flink: statements, of which some are Flink's jobs."""

    cancelled: bool
    suspended: bool
    """Whether it shall do no more, since its job ends with a savepoint."""
    job_id: str
    """The Flink job that runs now, or ran last."""
    statement: int
    statements: int


class Running:
    """The events of `task`; `work` says where it is."""

    def __init__(
        self, task: Task, rest: Rest, processes: Sequence[Process], states: States, *, cancelled: bool
    ) -> None:
        self.task = task
        self._rest = rest
        self._processes = processes
        self._states = states
        self._cancelled = cancelled
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Event] = asyncio.Queue(QUEUED_EVENTS)
        self._ended = False
        self._operating = asyncio.Lock()
        self.work: Work | None = None

    async def say(self, event: Event) -> None:
        """Waits when the reader is behind: memory stays bounded."""
        await self._events.put(event)

    def say_blocking(self, event: Event) -> None:
        """The same for another thread."""
        asyncio.run_coroutine_threadsafe(self._events.put(event), self._loop).result()

    async def events(self, work: Work, run: Callable[[], Awaitable[TaskEnded]]) -> AsyncGenerator[Event, None]:
        """All events, the end last. `run` does the work and says how it ended."""
        self.work = work
        work.cancelled = self._cancelled
        working = asyncio.create_task(self._work(work, run))
        event: Event | None = None
        try:
            while not isinstance(event := await next_event(self._events, working), TaskEnded):
                yield event
        finally:
            self._ended = True
            if not isinstance(event, TaskEnded):  # whoever read has gone: the work must not wait for him
                await self._abandon(work, working)
        yield event

    async def cancel(self) -> None:
        """Ask the work to stop. Returns when it has, or after a while."""
        self._cancelled = True
        until = time.monotonic() + CANCEL_SECONDS
        # the job may only now be on its way to Flink: asked again until the statement ends
        while not self._ended and time.monotonic() < until:
            if self.work is not None:
                self.work.cancelled = True
                if self.work.job_id:
                    await self._rest.cancel(self.work.job_id)
            await asyncio.sleep(POLL_SECONDS)

    async def operate(self, operation: str, parameters: Mapping[str, str]) -> Mapping[str, str]:
        """See `engine.Operations`. The task does not end before it is answered."""
        work = self.work
        async with self._operating:
            if work is None or not work.job_id or self._ended:
                raise Conflict(codes.OPERATION_FAILED, "no job of the task runs in Flink now; try again when one does")
            if operation == operations.DIAGNOSIS:
                return await operations.diagnosis(self._rest, work.job_id)
            work.suspended = operation == operations.SUSPEND
            try:
                path = await operations.save(self._rest, work.job_id, operation, parameters)
            except HeadgateError:
                work.suspended = False
                raise
            await self.say(Savepoint(work.statement, SavepointKind(operation), path))
            return {"path": path}

    async def _abandon(self, work: Work, working: asyncio.Task[None]) -> None:
        work.cancelled = True
        while not working.done():
            if work.job_id:
                await self._rest.cancel(work.job_id)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._events.get()

    async def _work(self, work: Work, run: Callable[[], Awaitable[TaskEnded]]) -> None:
        stop = asyncio.Event()
        progress = asyncio.create_task(self._progress(work))
        tails = [asyncio.create_task(each) for process in self._processes for each in self._tails(process, stop)]
        try:
            ended = await run()
        finally:
            progress.cancel()
            stop.set()
            await asyncio.gather(*tails)
        async with self._operating:
            await self._keep_state(work, ended)
            await self.say(ended)

    async def _keep_state(self, work: Work, ended: TaskEnded) -> None:
        """What a job that did not succeed can go on from, if it kept a checkpoint."""
        if not work.job_id:
            return
        if ended.outcome is not Outcome.SUCCEED and (path := self._states.newest_checkpoint(work.job_id)):
            await self.say(LogLine("INFO", f"The job's newest checkpoint is kept: {path}"))
            await self.say(Savepoint(work.statement, SavepointKind.CHECKPOINT, path))
        self._states.tidy(work.job_id)

    async def _progress(self, work: Work) -> None:
        """Flink's own vertices, over all statements; never falling, since statements only go forward."""
        highest, began = 0.0, time.monotonic()
        while True:
            await asyncio.sleep(min(POLL_SECONDS + (time.monotonic() - began) / 500, SLOWEST_SECONDS))
            vertices = await self._rest.vertices(work.job_id) if work.job_id else None
            now = (work.statement + (fraction(vertices) if vertices else 0.0)) / work.statements
            highest = max(highest, min(now, 0.99))
            await self.say(Progress(round(highest, 4), vertices or ()))

    def _tails(self, process: Process, stop: asyncio.Event) -> Sequence[Coroutine[Any, Any, None]]:
        """What it logs and what user code prints from now on; one task runs at a time, so it is this task's."""

        async def printed(line: str) -> None:
            await self.say(LogLine("INFO", line))

        return tail_log(process.log, self.say, stop), tail(process.out, printed, stop)
