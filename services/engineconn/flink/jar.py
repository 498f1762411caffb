"""A jar job: one statement, which is one Flink job, submitted through the job manager's REST."""

from __future__ import annotations

import asyncio
import zipfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from commons.process.errors import HeadgateError
from protocol import codes
from protocol.flink import policy
from protocol.flink.jar import JarJob
from services.engineconn import sums
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
from services.engineconn.flink.causes import root_cause
from services.engineconn.flink.cluster import Blocking
from services.engineconn.flink.followed import Followed, told
from services.engineconn.flink.jobs import job_id
from services.engineconn.flink.jvm import Jvm, Unplanned
from services.engineconn.flink.reach import Reach
from services.engineconn.flink.rest import NoAnswer, Refusal, Rest
from services.engineconn.flink.states import States, metadata

T = TypeVar("T")
Say = Callable[[Event], Awaitable[None]]
PLAN = pa.schema([("id", pa.string()), ("parallelism", pa.int64()), ("step", pa.string()), ("inputs", pa.string())])
AGAIN_SECONDS = 1.0
_PLANNED = ("entryClass", "programArgsList", "parallelism", "flinkConfiguration")
"""Before 1.20 Flink refuses what else a run is asked with."""
DROPPED = pa.schema([("operator", pa.string()), ("name", pa.string()), ("bytes", pa.int64())])
DUPLICATE = "DuplicateJobSubmissionException"


class Jars:
    """The jars of a cluster: each content is uploaded once."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._ids: dict[str, str] = {}

    async def id_of(self, jar: Path) -> str:
        """Raises Refusal and NoAnswer."""
        digest = await asyncio.to_thread(sums.sha256, jar)
        if digest not in self._ids:
            self._ids[digest] = await self._rest.upload(jar)
        return self._ids[digest]


class _Wrong(Exception):
    """The job cannot run as it is written; `code` says in which way."""

    def __init__(self, message: str, code: int = codes.STATEMENT_INVALID) -> None:
        super().__init__(message)
        self.code = code


class JarRun:
    """See `running.Work`."""

    def __init__(
        self, task: Task, rest: Rest, jars: Jars, reach: Reach, states: States, version: str, say: Say,
        jvm: Jvm, blocking: Blocking,
    ) -> None:  # fmt: skip
        self.cancelled = self.suspended = False
        self.job_id = ""
        self.statement, self.statements = 0, 1
        self.followed: Followed | None = None
        self._task, self._rest, self._jars, self._reach, self._say = task, rest, jars, reach, say
        self._states, self._version = states, version
        self._jvm, self._blocking = jvm, blocking

    async def run(self) -> TaskEnded:
        """How the task ended; the user's errors are told, never raised. It goes on while Flink does not answer."""
        task = self._task
        try:
            job = JarJob.parse(task.code, task.configuration)
            settings = policy.settings(task.configuration, job.configuration, self._version)
            self._check(job, settings)
        except (HeadgateError, _Wrong) as error:
            return _failed(codes.STATEMENT_INVALID, str(error))
        flink_job = "" if job.dry_run else job_id(task, 1)
        await self._say(StatementStarted(0, 1, task.code, flink_job))
        outcome, ended = Outcome.FAILED, _failed(codes.STATEMENT_FAILED, "the job could not be run")
        try:
            if self.cancelled:
                outcome, ended = Outcome.CANCELLED, _killed()
            elif job.dry_run:
                outcome, ended = await self._plan(job, settings)
            else:
                outcome, ended = await self._run(job, settings, flink_job)
        except _Wrong as error:
            ended = _failed(error.code, str(error))
        except Refusal as error:
            for line in error.text.splitlines():
                await self._say(LogLine("ERROR", line))
            ended = _failed(codes.STATEMENT_FAILED, str(error))
        finally:
            metrics = self.followed.metrics if self.followed is not None else {}
            await self._say(StatementEnded(0, outcome, metrics))
        return ended

    def _check(self, job: JarJob, settings: Mapping[str, str]) -> None:
        for key, value in settings.items():
            if (why := self._reach.setting(key, value)) is not None:
                raise _Wrong(why)
        jar = self._task.artifacts.get(job.artifact)
        if jar is None or not jar.is_file():
            raise _Wrong(f"artifact {job.artifact[:100]} is not there; push the jar, and name it as it is listed")
        if not zipfile.is_zipfile(jar):
            raise _Wrong(f"artifact {job.artifact[:100]} is no jar: it is not a zip file")

    async def _plan(self, job: JarJob, settings: Mapping[str, str]) -> tuple[Outcome, TaskEnded]:
        jar_id, body = await self._jar_id(job), self._body(job, settings)
        plan = await _answered(lambda: self._rest.plan_jar(jar_id, {k: v for k, v in body.items() if k in _PLANNED}))
        await self._say(ResultOpened(0, PLAN))
        await self._say(Rows(_plan_rows(plan)))
        if savepoint := self._task.resume or job.savepoint:
            await self._compare(job, settings, savepoint)
        await self._say(LogLine("INFO", f"Planned, not run: {plan.get('name', '')}, {len(plan['nodes'])} steps"))
        return Outcome.SUCCEED, TaskEnded(Outcome.SUCCEED)

    async def _compare(self, job: JarJob, settings: Mapping[str, str], savepoint: str) -> None:
        """Say what of the savepoint the job would drop."""
        jar, saved = self._task.artifacts[job.artifact], metadata(savepoint)
        try:
            dropped = await self._blocking(lambda: self._jvm.dropped_states(jar, job, settings, saved))
        except Unplanned as error:
            raise _Wrong(f"the savepoint cannot be compared: {root_cause(str(error))}") from None
        await self._say(ResultOpened(0, DROPPED))
        rows = [{"operator": id, "name": name, "bytes": int(size)} for id, name, size in dropped]
        await self._say(Rows(pa.RecordBatch.from_pylist(rows, DROPPED)))
        if not dropped:
            await self._say(LogLine("INFO", "Every state of the savepoint has its operator in the job"))
            return
        then = "it is dropped" if job.allow_non_restored else "Flink refuses the job, unless allowNonRestored drops it"
        ids = ", ".join(f"{id} {name}".strip() for id, name, _ in dropped)
        await self._say(LogLine("WARN", f"The job has no operator for the state of {ids}: {then}"))

    async def _run(self, job: JarJob, settings: Mapping[str, str], flink_job: str) -> tuple[Outcome, TaskEnded]:
        jar_id, body = await self._jar_id(job), self._body(job, settings) | {"jobId": flink_job}
        self.job_id = flink_job
        wait = policy.slots_wait_seconds(self._task.configuration)
        followed = self.followed = Followed(flink_job, self._rest, self._say, wait)
        tries = 0
        while True:
            await self._submit(jar_id, body)
            await self._say(LogLine("INFO", f"The job runs in Flink as {flink_job}"))
            try:
                outcome, why = await followed.end()
                break
            except Refusal as error:
                if error.status != 404:
                    raise
            tries += 1
            body |= await self._again(flink_job, tries)
        if (rows := await self._blocking(lambda: self._jvm.rows_written(flink_job))) is not None:
            followed.metrics["rows_written"] = int(rows)
        await self._say(LogLine("INFO", f"The job has ended: {outcome}; {told(followed.metrics)}"))
        if outcome is Outcome.FAILED:
            return outcome, _failed(codes.STATEMENT_FAILED, why)
        if outcome is Outcome.CANCELLED:
            return outcome, _killed() if self.cancelled else _failed(codes.KILLED, "the job was cancelled in Flink")
        return outcome, TaskEnded(Outcome.SUCCEED)

    async def _again(self, flink_job: str, tries: int) -> dict[str, Any]:
        """What else Flink is asked with when it has lost the job, with its job manager."""
        lost, runtime = "Flink's job manager ended while the job ran", self._task.configuration
        if self.cancelled:
            raise _Wrong(f"{lost}, before it was killed", codes.KILLED)
        if tries > policy.resumptions(runtime):
            raise _Wrong(f"{lost}, and the job was not to go on once more ({policy.RESTART})", codes.ENGINE_LOST)
        checkpoint = self._states.newest_checkpoint(flink_job)
        if not checkpoint and not policy.from_the_beginning(runtime):
            raise _Wrong(f"{lost}, and the job has no checkpoint to go on from", codes.ENGINE_LOST)
        goes_on = f"goes on from {checkpoint}" if checkpoint else "begins again"
        await self._say(LogLine("WARN", f"{lost}: it {goes_on} (try {tries})"))
        return {"savepointPath": checkpoint} if checkpoint else {}

    async def _submit(self, jar_id: str, body: Mapping[str, Any]) -> None:
        """Flink takes each job id once, so that a call whose answer was lost is repeated without harm."""
        try:
            await _answered(lambda: self._rest.run_jar(jar_id, body))
        except Refusal as error:
            if DUPLICATE not in error.text:
                raise

    async def _jar_id(self, job: JarJob) -> str:
        jar = self._task.artifacts[job.artifact]
        return await _answered(lambda: self._jars.id_of(jar))

    def _body(self, job: JarJob, settings: Mapping[str, str]) -> dict[str, Any]:
        """What Flink is asked with; what is empty is left out."""
        body = {
            "entryClass": job.entry_class,
            "programArgsList": list(job.arguments),
            "parallelism": job.parallelism,
            "flinkConfiguration": dict(settings),
        }
        if savepoint := self._task.resume or job.savepoint:
            if (why := self._states.refusal(savepoint)) is not None:
                raise _Wrong(why, codes.STATEMENT_FAILED)
            body |= {"savepointPath": savepoint, "allowNonRestoredState": job.allow_non_restored}
        return {name: value for name, value in body.items() if value}


async def _answered(call: Callable[[], Awaitable[T]]) -> T:
    """What the call gives, repeated until Flink answers: others look whether it is still there."""
    while True:
        try:
            return await call()
        except NoAnswer:
            await asyncio.sleep(AGAIN_SECONDS)


def _plan_rows(plan: Mapping[str, Any]) -> pa.RecordBatch:
    rows = [
        {
            "id": str(node["id"]),
            "parallelism": int(node["parallelism"]),
            "step": " ".join(str(node.get("description", "")).replace("<br/>", " ").split()),
            "inputs": ", ".join(f"{one['id']} ({one.get('ship_strategy', '')})" for one in node.get("inputs", ())),
        }
        for node in plan["nodes"]
    ]
    return pa.RecordBatch.from_pylist(rows, PLAN)


def _failed(code: int, why: str) -> TaskEnded:
    return TaskEnded(Outcome.FAILED, code, " ".join(why.split()))


def _killed() -> TaskEnded:
    return TaskEnded(Outcome.CANCELLED, codes.KILLED, "the job was killed")
