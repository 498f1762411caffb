"""One task as a job of a Zeta server: from its text to its end, through lost replies and crashes of the server."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from commons.process.errors import Conflict
from protocol import codes
from services.engineconn.engine import (
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
from services.engineconn.seatunnel import errors, launch, metrics, rest
from services.engineconn.seatunnel.metrics import Counts
from services.engineconn.seatunnel.server import NotStarted, Server
from services.engineconn.seatunnel.states import States
from services.engineconn.tail import tail_log

FIRST_POLL_SECONDS, LAST_POLL_SECONDS = 0.1, 1.0
TELL_SECONDS = 10.0
UNKNOWN_SECONDS = 30.0
LET_GO_SECONDS = 1.5
STALE_SECONDS = 15.0
LOST_SECONDS = 180.0
MOST_RESTARTS = 3
LONGEST_TRACE = 60

T = TypeVar("T")
Say = Callable[[Event], Awaitable[None]]
NO_CHECKPOINT = "the job has no checkpoint to go on from; with checkpoint.interval in env it would have"


class _Over(Exception):
    """How the task ends."""

    def __init__(self, outcome: Outcome, code: int = 0, message: str = "") -> None:
        super().__init__(message)
        self.ended = TaskEnded(outcome, code, message)


class _Gone(Exception):
    """The server is gone, with the reason."""


class Cancelled(Exception):
    """The task was cancelled while it waited."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to run: a checked configuration, and whether it goes on from a state of `job_id`."""

    job_id: int
    config: Mapping[str, Any]
    resume: bool


class Job:
    """`say` takes the task's events and may wait. `run` is called once; the rest at any time meanwhile."""

    def __init__(self, task: Task, server: Server, states: States, plan: Plan, say: Say) -> None:
        self.plan = plan
        self.cancelled = asyncio.Event()
        self.unended = False
        """Whether SeaTunnel may still run the job though the task has ended."""
        self._task, self._server, self._say = task, server, say
        self._states = states
        self._suspended: asyncio.Future[str] | None = None
        self._counts, self._before = Counts(), Counts()
        self._told_at, self._told = time.monotonic(), Counts()
        self._fraction, self._total = 0.0, metrics.total_rows(plan.config)
        self._vertices: tuple[Any, ...] = ()
        self._restarts = 0

    async def run(self) -> TaskEnded:
        """How the task ended; all else is said before."""
        await self._say(StatementStarted(0, 1, self._task.code, str(self.plan.job_id)))
        stop = asyncio.Event()
        log = launch.job_log(self._server.workdir, self.plan.job_id)
        log.touch()
        tailing = asyncio.create_task(tail_log(log, self._say, stop))
        try:
            ended = await self._ended()
        finally:
            stop.set()
            await asyncio.wait({tailing}, timeout=LET_GO_SECONDS)
            tailing.cancel()
            if self._suspended is not None and not self._suspended.done():
                self._suspended.set_exception(Conflict(codes.OPERATION_FAILED, "the job ended before it was suspended"))
        counts = self._before + self._counts
        await self._say(LogLine("INFO", counts.line()))
        if ended.outcome is Outcome.SUCCEED:
            await self._say(ResultOpened(0, metrics.SCHEMA))
            if counts.tables:
                await self._say(Rows(counts.table()))
        await self._say(StatementEnded(0, ended.outcome, counts.named()))
        return ended

    async def suspend(self) -> str:
        """Stop the job with a savepoint: its path. Raises Conflict when the job ends otherwise."""
        if self._suspended is None:
            self._suspended = asyncio.get_running_loop().create_future()
            self._suspended.add_done_callback(lambda done: done.exception())  # nobody may wait for it any more
            await self._server.rest.stop(self.plan.job_id, savepoint=True)
        return await asyncio.shield(self._suspended)

    async def _ended(self) -> TaskEnded:
        resume = self.plan.resume
        if not resume:  # what lies there is of a job that had this number before, in another history
            await asyncio.to_thread(self._states.drop, self.plan.job_id)
        try:
            while True:
                try:
                    before = await self._server.rest.job(self.plan.job_id) if resume else None
                    await self._submit(resume)
                    return await self._follow(before.finished_at if before else "")
                except _Gone as gone:
                    await self._restart(str(gone))
                    resume = True
        except Cancelled:
            await self._let_go()
            return TaskEnded(Outcome.CANCELLED, codes.KILLED, "the job was killed")
        except _Over as over:
            await self._keep(SavepointKind.CHECKPOINT)
            return over.ended

    async def _submit(self, resume: bool) -> None:
        """The server has the job, or has had it. Asked again when an answer is lost: the id makes it one job."""
        until = time.monotonic() + LOST_SECONDS
        log = launch.engine_log(self._server.workdir)
        while True:
            begin = log.stat().st_size if log.exists() else 0
            try:
                name = f"headgate-{self._task.job_id}"
                await self._either(self._server.rest.submit(self.plan.job_id, name, self.plan.config, resume=resume))
                return
            except rest.Refusal as refusal:
                if "already been submitted" in str(refusal):
                    return
                raise await self._refused(log, begin, str(refusal)) from None
            except rest.Lost as lost:
                if time.monotonic() > until:
                    raise _Over(Outcome.FAILED, codes.ENGINE_LOST, f"SeaTunnel did not answer: {lost}") from None
                await self._say(LogLine("WARN", f"SeaTunnel's answer was lost ({lost}): it is asked again"))
                await self._pause(0.5)

    async def _refused(self, log: Path, begin: int, reply: str) -> _Over:
        """Why a submit was refused: SeaTunnel's reply says little, its log the rest."""
        text = await asyncio.to_thread(_from, log, begin)
        causes = [line for line in errors.trace(text).splitlines() if line.strip() and not line.startswith("\t")]
        for line in causes[:LONGEST_TRACE]:
            await self._say(LogLine("ERROR", line))
        why = self._task.secrets.mask(errors.from_log(text, reply))
        return _Over(Outcome.FAILED, codes.STATEMENT_FAILED, why or "SeaTunnel refused the job without a reason")

    async def _follow(self, ended_before: str) -> TaskEnded:
        """From the submit to the end; `ended_before` is when the job ended that this one goes on from."""
        began = heard = time.monotonic()
        while True:
            job = await self._either(self._server.rest.job(self.plan.job_id))
            now = time.monotonic()
            if job is not None and not (job.ended and job.finished_at == ended_before and now - began < STALE_SECONDS):
                heard = now
                await self._tell(job, now)
                if job.ended:
                    return await self._end(job)
            elif now - heard > UNKNOWN_SECONDS:
                raise _Over(Outcome.FAILED, codes.ENGINE_LOST, "SeaTunnel does not know the job any more")
            await self._pause(min(LAST_POLL_SECONDS, max(FIRST_POLL_SECONDS, (now - began) / 20)))

    async def _tell(self, job: rest.Job, now: float) -> None:
        self._counts = Counts.of(job.metrics) if job.metrics else self._counts
        self._vertices = job.vertices or tuple(rest.in_status(vertex, job.status) for vertex in self._vertices)
        if self._total:
            read = (self._before + self._counts).whole["rows_read"]
            self._fraction = max(self._fraction, min(round(read / self._total, 4), 0.99))
        finished = job.ended and job.status == "FINISHED"
        await self._say(Progress(1.0 if finished else self._fraction, self._vertices))
        if now - self._told_at >= TELL_SECONDS and self._counts != self._told:
            await self._say(LogLine("INFO", self._counts.line(self._told, now - self._told_at)))
            self._told_at, self._told = now, self._counts

    async def _end(self, job: rest.Job) -> TaskEnded:
        match job.status:
            case "SAVEPOINT_DONE":
                path = await self._keep(SavepointKind.SUSPEND)
                if self._suspended is not None and not self._suspended.done():
                    self._suspended.set_result(path)
                return TaskEnded(Outcome.SUCCEED, 0, "suspended")
            case "FAILED":
                await self._keep(SavepointKind.CHECKPOINT)
                why = self._task.secrets.mask(errors.root(job.error)) or "SeaTunnel gives no reason"
                return TaskEnded(Outcome.FAILED, codes.STATEMENT_FAILED, why)
        await asyncio.to_thread(self._states.drop, self.plan.job_id)
        if job.status == "FINISHED":
            return TaskEnded(Outcome.SUCCEED)
        return TaskEnded(Outcome.FAILED, codes.STATEMENT_FAILED, "the job was cancelled in SeaTunnel by somebody else")

    async def _keep(self, kind: SavepointKind) -> str:
        """Tell of the job's state, if it has one, as something to go on from: its path."""
        if not await asyncio.to_thread(self._states.has, self.plan.job_id):
            return ""
        path = await asyncio.to_thread(self._states.keep, self.plan.job_id)
        await self._say(Savepoint(0, kind, path))
        return path

    async def _restart(self, reason: str) -> None:
        """Start the server again after a crash, for the job to go on. Raises _Over when it cannot."""
        self._restarts += 1
        if not await asyncio.to_thread(self._states.has, self.plan.job_id):
            raise _Over(Outcome.FAILED, codes.ENGINE_LOST, f"{reason}; {NO_CHECKPOINT}")
        if self._restarts > MOST_RESTARTS:
            raise _Over(Outcome.FAILED, codes.ENGINE_LOST, f"{reason}, for the {self._restarts}th time in this job")
        counted = f"restart {self._restarts} of {MOST_RESTARTS}"
        told = f"{reason}. It is started again, and the job goes on from its last checkpoint ({counted})"
        await self._say(LogLine("WARN", told))
        self._before, self._counts, self._told = self._before + self._counts, Counts(), Counts()
        try:
            await self._unless_cancelled(self._server.start())
        except NotStarted as error:
            raise _Over(Outcome.FAILED, codes.ENGINE_LOST, f"{reason}, and did not start again: {error}") from None

    async def _let_go(self) -> None:
        """Stop the job in SeaTunnel; `unended` says that its end was not seen in time."""
        self.unended = True
        try:
            async with asyncio.timeout(LET_GO_SECONDS):
                while not self._server.gone.done():
                    await self._server.rest.stop(self.plan.job_id, savepoint=False)
                    job = await self._server.rest.job(self.plan.job_id)
                    if job is not None:
                        await self._tell(job, time.monotonic())
                        if job.ended:
                            self.unended = False
                            break
                    await asyncio.sleep(FIRST_POLL_SECONDS)
        except TimeoutError:
            return
        await asyncio.to_thread(self._states.drop, self.plan.job_id)

    async def _either(self, work: Awaitable[T]) -> T:
        """What the work gives; raises Cancelled or _Gone when that comes first."""
        return await self._unless_cancelled(work, self._server.gone)

    async def _unless_cancelled(self, work: Awaitable[T], gone: asyncio.Future[str] | None = None) -> T:
        working = asyncio.ensure_future(work)
        cancelled = asyncio.ensure_future(self.cancelled.wait())
        others = {cancelled} | ({gone} if gone is not None else set())
        try:
            await asyncio.wait({working, *others}, return_when=asyncio.FIRST_COMPLETED)
            if self.cancelled.is_set():
                raise Cancelled
            if gone is not None and gone.done():
                raise _Gone(gone.result())
            return working.result()
        finally:
            cancelled.cancel()
            working.cancel()

    async def _pause(self, seconds: float) -> None:
        await self._either(asyncio.sleep(seconds))


def job_id(task: Task) -> int:
    """A positive number of 63 bits that the same attempt always has."""
    digest = hashlib.md5(f"{task.job_id}:{task.attempt}".encode(), usedforsecurity=False).digest()
    return (int.from_bytes(digest[:8], "big") >> 1) or 1


def _from(path: Path, begin: int) -> str:
    """What was appended to a file since it had this size."""
    try:
        with path.open("rb") as file:
            file.seek(begin if begin <= path.stat().st_size else 0)
            return file.read(1 << 20).decode("utf-8", "replace")
    except OSError:
        return ""
