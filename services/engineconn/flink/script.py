"""Runs a script on a session: checked whole first, then statement by statement. Blocking; tells through `say`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import pyarrow as pa

from protocol import codes
from protocol.flink import policy
from services.engineconn.engine import (
    Event,
    LogLine,
    Outcome,
    ResultOpened,
    Rows,
    StatementEnded,
    StatementStarted,
    Task,
    TaskEnded,
)
from services.engineconn.flink import arrow, jobs
from services.engineconn.flink.jvm import Jvm
from services.engineconn.flink.limits import ROWS, SECONDS
from services.engineconn.flink.reach import Reach
from services.engineconn.flink.rehearsal import rehearse
from services.engineconn.flink.session import Listing, Meaning, Parsed, Session, SqlError, Unanswered
from services.engineconn.flink.sql import Statement, split
from services.engineconn.flink.states import States

SHOWN = 100
LIST_ROWS = 1000
LONGEST_REASON = 900


@dataclass(slots=True)
class Script:
    """One task on a session of its own; `job_id` is the Flink job that runs now, or ran last."""

    task: Task
    jvm: Jvm
    settings: Mapping[str, str]
    """What every session starts with."""
    reach: Reach
    say: Callable[[Event], None]
    states: States
    version: str
    jars: Sequence[Path]
    """Of the job, for its session alone."""
    cancelled: bool = False
    suspended: bool = False
    job_id: str = ""
    statement: int = 0
    statements: int = 1
    _resume: str = ""
    _only_adds: dict[int, bool] = field(default_factory=dict)

    def run(self) -> TaskEnded:
        """How the task ended; the user's errors are told, never raised. Raises Unanswered when the JVM is gone."""
        statements = split(self.task.code)
        self.statements = max(1, len(statements))
        if not statements:
            return TaskEnded(Outcome.FAILED, codes.STATEMENT_INVALID, "the script has no statement, only comments")
        current = statements[0]
        try:
            current, error = self._check(statements)
            if error is not None:
                return self._failed(current, error, codes.STATEMENT_INVALID)
            session = self._session()
            self._resume = self.task.resume
            if self._resume and (why := self.states.refusal(self._resume)) is not None:
                return TaskEnded(Outcome.FAILED, codes.STATEMENT_FAILED, why)
            for current in statements:
                if self.cancelled or self.suspended:
                    break
                self._one(session, current)
        except Unanswered:
            raise
        except SqlError as failure:
            return self._failed(current, failure, codes.STATEMENT_FAILED)
        if self.cancelled:
            return TaskEnded(Outcome.CANCELLED, codes.KILLED, "the job was killed")
        return TaskEnded(Outcome.SUCCEED)

    def _check(self, statements: list[Statement]) -> tuple[Statement, SqlError | None]:
        """The first statement that cannot work, and why; nothing with an effect has run then."""
        scratch = self._session()
        for current in statements:
            if self.cancelled:
                break
            try:
                self._only_adds[current.number] = rehearse(scratch, current.for_flink())
            except Unanswered:
                raise
            except SqlError as error:
                return current, error
        self._log(f"{len(statements)} statement(s) checked")
        return statements[0], None

    def _session(self) -> Session:
        """A fresh one, with the job's jars on its class path. Raises SqlError."""
        settings = policy.settings(self.task.configuration, version=self.version)
        session = Session(self.jvm, self.settings, settings, self.reach)
        for jar in self.jars:
            session.load(jar)
        return session

    def _one(self, session: Session, current: Statement) -> None:
        """Run a statement and tell its story. Raises SqlError unless it was cancelled."""
        self.statement, self.job_id = current.number - 1, ""
        text = current.for_flink()
        parsed = session.parse(text)
        job_id = ""
        if parsed.meaning in (Meaning.QUERY, Meaning.MODIFY):
            job_id = jobs.job_id(self.task, current.number)
            session.name_job(job_id, f"job {self.task.job_id}, statement {current.number}")
        self.say(StatementStarted(self.statement, self.statements, current.text, job_id))
        goes_on = self._resume if parsed.meaning is Meaning.MODIFY else ""
        if self.task.resume:
            session.go_on_from(goes_on)
        shown = " ".join(self.task.secrets.mask(current.text).split())[:SHOWN]
        self._log(f"Statement {current.number} of {self.statements}: {shown}")
        if goes_on:
            self._resume = ""  # the first job alone: no other has its state
            self._log(f"Statement {current.number} goes on from {goes_on}")
        self.job_id, began, outcome, counts = job_id, time.monotonic(), Outcome.FAILED, {}
        try:
            counts = self._perform(session, current, text, parsed)
            outcome = Outcome.SUCCEED
        except SqlError:
            if not self.cancelled:
                raise
        finally:
            if self.cancelled:
                outcome = Outcome.CANCELLED
            if parsed.meaning is Meaning.MODIFY and (written := self.jvm.rows_written(job_id)) is not None:
                counts = {"rows_written": written}
            told = "".join(f", {_counted(name, count)}" for name, count in counts.items())
            self._log(f"Statement {current.number}: {outcome} after {time.monotonic() - began:.2f} s{told}")
            self.say(StatementEnded(self.statement, outcome, counts))

    def _perform(self, session: Session, current: Statement, text: str, parsed: Parsed) -> dict[str, int]:
        """Do what the statement says; the rows it gave."""
        if parsed.name in jobs.OPERATIONS:
            listing = jobs.perform(session, parsed)
            return {"rows": self._list(listing)} if listing is not None else {}
        match parsed.meaning:
            case Meaning.SET:
                for line in session.set(parsed).splitlines():
                    self._log(line)
            case Meaning.RESET:
                session.reset(parsed)
            case Meaning.SESSION:
                session.change(text, parsed)
            case Meaning.SHOW:
                return {"rows": self._list(session.listing(text))}
            case Meaning.QUERY:
                return {"rows": self._query(session, current, text)}
            case Meaning.MODIFY:
                result = session.execute(text)
                session.call(getattr(result, "await"))
                if parsed.creates_as:
                    session.remember_table(parsed)
        return {}

    def _query(self, session: Session, current: Statement, text: str) -> int:
        query = arrow.prepare(session, text, only_adds=self._only_adds[current.number])
        for name in query.as_text:
            self._log(f"Column {name} has a type that Arrow lacks: it comes as text")
        self.say(ResultOpened(self.statement, query.schema))
        limits, began, count = session.select_limits, time.monotonic(), 0
        with closing(arrow.batches(session, query, lambda: self.cancelled)) as batches:
            for batch in batches:
                room = limits.rows - count
                if part := batch.slice(0, room):
                    count += part.num_rows
                    self.say(Rows(part))
                late = time.monotonic() - began >= limits.seconds
                if late or not room or batch.num_rows > room:
                    reached = f"{SECONDS} = {limits.seconds:g}" if late else f"{ROWS} = {limits.rows}"
                    self.say(LogLine("WARN", f"The SELECT is stopped at its limit, {reached}: there may be more rows"))
                    break
        return count

    def _list(self, listing: Listing) -> int:
        schema = pa.schema([(n, _list_type(kind)) for n, kind in zip(listing.names, listing.types, strict=True)])
        self.say(ResultOpened(self.statement, schema))
        count = 0
        while rows := list(islice(listing.rows, LIST_ROWS)):
            count += len(rows)
            columns = [
                pa.array([self._list_value(row[index], field.type) for row in rows], field.type)
                for index, field in enumerate(schema)
            ]
            self.say(Rows(pa.RecordBatch.from_arrays(columns, schema=schema)))
        return count

    def _list_value(self, value: object, kind: pa.DataType) -> object:
        """What SHOW, DESCRIBE and EXPLAIN give tells the code again, so its secrets are masked; rows of tables stay."""
        if value is None or isinstance(value, bool) or kind == pa.int64():
            return value
        return self.task.secrets.mask(str(value))

    def _failed(self, at: Statement, error: SqlError, code: int) -> TaskEnded:
        for line in error.stack.splitlines():
            self.say(LogLine("ERROR", line))
        message, line_number, column = at.placed(error.message)
        where = f"statement {at.number} (line {line_number}, column {column})"
        return TaskEnded(Outcome.FAILED, code, f"{where}: {self.task.secrets.mask(message)[:LONGEST_REASON]}")

    def _log(self, text: str) -> None:
        self.say(LogLine("INFO", text))


def _counted(name: str, count: int) -> str:
    words = name.replace("_", " ")
    return f"{count} {words.replace('rows', 'row', 1) if count == 1 else words}"


def _list_type(kind: str) -> pa.DataType:
    if kind.startswith("BOOLEAN"):
        return pa.bool_()
    return pa.int64() if kind.startswith(("INT", "BIGINT")) else pa.string()
