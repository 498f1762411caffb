"""Runs one task on the engine and writes down what it says."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from commons.process import disk
from commons.process.errors import Invalid
from commons.process.masking import MASK, holds_mask
from protocol import codes, layout, names
from protocol.engineconn.v1 import engineconn_pb2 as pb
from services.engineconn import engine as seam
from services.engineconn.journal import Journal
from services.engineconn.results import ResultWriter

log = logging.getLogger(__name__)

TICK_SECONDS = 0.1
LET_GO_SECONDS = 2.0
_MASKED_CODE = f"The code has {MASK} where a secret should be, as history shows it: write the secret there again"
ADOPTED = "The engine connection had ended: a new one goes on with the job"
DIED = "the engine connection died before it told how the job ended"
STOPPED = "the engine was stopped while the job ran"


class Runner:
    """One task from its first event to `Ended`; `folder` is the task's own."""

    def __init__(self, engine: seam.Engine, task: seam.Task, folder: Path, story: Sequence[str]) -> None:
        self._engine = engine
        self.task = task
        self._folder = folder
        self._story = story
        self._killed = self._stopped = False
        self._statement_sets = 0
        self._fraction = -1.0
        self._vertices: tuple[seam.Vertex, ...] = ()

    async def run(self) -> None:
        """Returns when `Ended` is written. An engine that dies or misbehaves ends the task as Failed.

        A folder with events is that of a task whose connection has died: its engine goes on with it.
        """
        with Journal(self._folder, self.task.secrets) as journal:
            results = ResultWriter(self._folder / layout.RESULTS)
            if journal.written:
                journal.line("WARN", ADOPTED)
                said = self._go_on(journal.written, journal.marks)
            else:
                journal.story(self._story)
                said = self._engine.run(self.task)
            if holds_mask(self.task.code):
                journal.line("WARN", _MASKED_CODE)
            journal.tell_lines()
            ended = self._true(await self._until_ended(said, journal, results))
            try:
                results.close()
            except OSError as error:
                ended = _failed(error, self._folder)
            _last_lines(journal, ended)
            journal.event(
                pb.TaskEvent(
                    ended=pb.Ended(
                        status=ended.outcome.value, code=ended.code, message=ended.message, result_sets=results.count
                    )
                )
            )

    async def cancel(self) -> None:
        """The task is wished ended."""
        self._killed = True
        await self._engine.cancel(self.task)

    async def operate(self, operation: str, parameters: Mapping[str, str]) -> Mapping[str, str]:
        """Raises Invalid when the engine has no operations, and what they raise."""
        if not isinstance(self._engine, seam.Operations):
            raise Invalid(codes.OPERATION_UNKNOWN, f"this kind of engine has no {operation}", field="operation")
        return await self._engine.operate(self.task, operation, parameters)

    async def stop(self) -> None:
        """The engine ends, and the task with it, though nobody wished that of the task."""
        self._stopped = True
        await self._engine.cancel(self.task)

    def _go_on(self, written: Sequence[pb.TaskEvent], marks: Mapping[str, int]) -> AsyncIterator[seam.Event]:
        """What the engine says of a task whose connection has died, from where that was."""
        assert isinstance(self._engine, seam.Adopts)
        begun = next((each.statement_started for each in reversed(written) if each.HasField("statement_started")), None)
        if begun is None:  # the engine was not asked for anything yet
            return self._engine.run(self.task)
        ended = next((each.statement_ended for each in reversed(written) if each.HasField("statement_ended")), None)
        if ended is not None and ended.statement == begun.statement:
            return _end_of(begun, ended)
        sets = [each.result_set for each in written if each.HasField("result_set")]
        self._statement_sets = sum(each.statement == begun.statement for each in sets)
        started = seam.StatementStarted(begun.statement, begun.statements, begun.text, begun.engine_job_id)
        return self._engine.adopt(self.task, started, marks)

    async def _until_ended(
        self, said: AsyncIterator[seam.Event], journal: Journal, results: ResultWriter
    ) -> seam.TaskEnded:
        reading = asyncio.create_task(self._read(said, journal, results))
        ticking = asyncio.create_task(_tick(journal, results))
        dying = asyncio.ensure_future(self._engine.died())
        try:
            await asyncio.wait({reading, dying, ticking}, return_when=asyncio.FIRST_COMPLETED)
            if ticking.done():
                ticking.result()  # it ends only when it cannot write
            if not reading.done():  # what the engine said before it died is still worth reading
                await asyncio.wait({reading}, timeout=1.0)
            if not reading.done():
                return seam.TaskEnded(seam.Outcome.FAILED, codes.ENGINE_LOST, f"the engine died: {dying.result()}")
            return reading.result()
        except Exception as error:
            log.exception("the engine failed to run task %s-%s", self.task.job_id, self.task.attempt)
            return _failed(error, self._folder)
        finally:
            for task in (reading, ticking, dying):
                task.cancel()
            # an engine that does not let go must not keep the end back
            await asyncio.wait({reading, ticking, dying}, timeout=LET_GO_SECONDS)

    def _true(self, ended: seam.TaskEnded) -> seam.TaskEnded:
        """A task that was cancelled because its engine ends has not been killed by anybody."""
        if ended.outcome is seam.Outcome.CANCELLED and self._stopped and not self._killed:
            return seam.TaskEnded(seam.Outcome.FAILED, codes.ENGINE_LOST, STOPPED)
        return ended

    async def _read(self, said: AsyncIterator[seam.Event], journal: Journal, results: ResultWriter) -> seam.TaskEnded:
        async for event in said:
            if isinstance(event, seam.TaskEnded):
                return event
            self._write(event, journal, results)
        return seam.TaskEnded(seam.Outcome.FAILED, codes.INTERNAL, "the engine stopped without saying how it ended")

    def _write(self, event: seam.Event, journal: Journal, results: ResultWriter) -> None:
        match event:
            case seam.LogLine(level, text, at_ms, mark):
                journal.line(level, text, at_ms, mark)
            case seam.Rows(batch):
                results.write(batch)
            case seam.ResultOpened(statement, schema):
                number = results.open(schema)
                self._statement_sets += 1
                journal.event(pb.TaskEvent(result_set=pb.ResultSet(statement=statement, result_set=number)))
            case seam.StatementStarted(statement, statements, text, engine_job_id):
                self._statement_sets = 0
                journal.event(
                    pb.TaskEvent(
                        statement_started=pb.StatementStarted(
                            statement=statement, statements=statements, text=text, engine_job_id=engine_job_id
                        )
                    )
                )
            case seam.StatementEnded(statement, outcome, metrics):
                results.close()
                ended = pb.StatementEnded(
                    statement=statement, status=outcome.value, result_sets=self._statement_sets, metrics=metrics
                )
                journal.event(pb.TaskEvent(statement_ended=ended))
            case seam.Progress(fraction, vertices):
                self._progress(journal, fraction, vertices)
            case seam.Savepoint(statement, kind, path):
                journal.event(pb.TaskEvent(savepoint=pb.Savepoint(statement=statement, kind=kind, path=path)))

    def _progress(self, journal: Journal, fraction: float, vertices: tuple[seam.Vertex, ...]) -> None:
        if (fraction, vertices) == (self._fraction, self._vertices):
            return
        self._fraction, self._vertices = fraction, vertices
        said = [
            pb.Vertex(id=v.id, name=v.name, succeeded=v.succeeded, failed=v.failed, running=v.running, total=v.total)
            for v in vertices
        ]
        journal.event(pb.TaskEvent(progress=pb.Progress(fraction=fraction, vertices=said)))


async def _end_of(begun: pb.StatementStarted, ended: pb.StatementEnded) -> AsyncIterator[seam.Event]:
    """The end of a task whose connection died between its statement's end and its own."""
    if ended.status == seam.Outcome.SUCCEED and begun.statement + 1 == begun.statements:
        yield seam.TaskEnded(seam.Outcome.SUCCEED)
    elif ended.status == seam.Outcome.CANCELLED:
        yield seam.TaskEnded(seam.Outcome.CANCELLED, codes.KILLED, "the job was killed")
    else:
        yield seam.TaskEnded(seam.Outcome.FAILED, codes.ENGINE_LOST, DIED)


async def _tick(journal: Journal, results: ResultWriter) -> None:
    while True:
        await asyncio.sleep(TICK_SECONDS)
        journal.tell_lines()
        results.close_if_due()


def _failed(error: Exception, folder: Path) -> seam.TaskEnded:
    """How a task ends when it is not the engine that ends it."""
    if disk.is_full(error):
        return seam.TaskEnded(seam.Outcome.FAILED, codes.NOT_WRITTEN, disk.no_room(folder))
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return seam.TaskEnded(seam.Outcome.FAILED, codes.INTERNAL, f"the engine connection failed: {reason}")


def _last_lines(journal: Journal, ended: seam.TaskEnded) -> None:
    """The words that Linkis clients look for at the end of a log."""
    if ended.outcome is seam.Outcome.SUCCEED:
        journal.line("INFO", "Congratulations. Your job completed with status Success.")
        return
    if ended.message:
        journal.line("ERROR", ended.message)
    journal.line("INFO", names.ENDED_BADLY.format(ended.outcome.value))
