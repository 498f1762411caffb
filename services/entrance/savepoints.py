"""Savepoints of jobs: made, listed, disposed of, and what a new job goes on from."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import replace

from commons.process.errors import Conflict, Invalid, NotFound, Unavailable
from protocol import codes
from protocol.ecm.client import Stub as Ecm
from protocol.ecm.v1 import ecm_pb2
from protocol.engineconn.v1 import engineconn_pb2
from protocol.jobhistory.client import Stub as JobHistory
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from protocol.states.job import JobStatus
from services.entrance.intake import JobRequest
from services.entrance.users import Asker

RESUME = "headgate.resume"
"""The runtime configuration by which a job goes on from another one: `<task id>` or `<task id>/<savepoint id>`."""
OPERATION_SECONDS = 600.0
RECORDED_SECONDS, LOOK_SECONDS = 30.0, 0.1
_REFERENCE = re.compile(r"(\d{1,18})(?:/(\d{1,18}))?")


class Savepoints:
    """The history has their rows; their files lie on the node that their job ran on."""

    def __init__(self, jobhistory: JobHistory, ecm_of: Callable[[str], Ecm]) -> None:
        self._jobhistory = jobhistory
        self._ecm_of = ecm_of

    async def operate(self, job: pb.Job, operation: str) -> dict[str, str]:
        """Have the job's engine do it. Raises Conflict when the job does not run, and what the engine raises."""
        if job.status != JobStatus.RUNNING or not job.live.ecm_address:
            what = f"job {job.job_id} is {job.status}: {operation} is for jobs that run"
            raise Conflict(codes.TASK_CLOSED, what)
        request = engineconn_pb2.OperateRequest(
            job_id=job.job_id, attempt=job.live.attempt, operation=operation
        )  # fmt: skip
        reply = await self._ecm_of(job.live.ecm_address).OperateTask(request, timeout=OPERATION_SECONDS)
        return dict(reply.result)

    async def make(self, job: pb.Job, operation: str) -> pb.Savepoint:
        """The savepoint, once it is recorded; after `suspend` the job ends. Raises Unavailable when that takes long."""
        path = (await self.operate(job, operation))["path"]
        until = time.monotonic() + RECORDED_SECONDS
        while time.monotonic() < until:
            found = [each for each in await self.of(job) if each.path == path]
            if found:
                return found[-1]
            await asyncio.sleep(LOOK_SECONDS)
        what = f"the savepoint is made, but not recorded yet: /entrance/{job.job_id}/savepoints lists it once it is"
        raise Unavailable(codes.OPERATION_FAILED, what)

    async def of(self, job: pb.Job) -> list[pb.Savepoint]:
        """All that the job has made, the oldest first."""
        return list((await self._jobhistory.ListSavepoints(pb.ListSavepointsRequest(job_id=job.job_id))).savepoints)

    async def dispose(self, job: pb.Job, savepoint_id: int) -> None:
        """Remove one of the job's. Raises NotFound, and Conflict while a job goes on from it."""
        if savepoint_id not in {each.savepoint_id for each in await self.of(job)}:
            what = f"job {job.job_id} has no savepoint {savepoint_id}; /entrance/{job.job_id}/savepoints lists them"
            raise NotFound(codes.SAVEPOINT_UNKNOWN, what, field="savepoint")
        gone = await self._jobhistory.DisposeSavepoint(pb.DisposeSavepointRequest(savepoint_id=savepoint_id))
        await self._ecm_of(gone.ecm_address).DropSavepoint(ecm_pb2.DropSavepointRequest(path=gone.path))

    async def resumed(self, request: JobRequest, asker: Asker) -> JobRequest:
        """The request with the savepoint it goes on from, if its configuration names one. Raises Invalid."""
        reference = request.configuration.get(RESUME)
        if reference is None:
            return request
        savepoint = await self._named(reference, request, asker)
        rest = {name: value for name, value in request.configuration.items() if name != RESUME}
        return replace(request, configuration=rest, resume=savepoint.path, savepoint_id=savepoint.savepoint_id)

    async def _named(self, reference: str, request: JobRequest, asker: Asker) -> pb.Savepoint:
        named = _REFERENCE.fullmatch(reference)
        if named is None:
            raise _invalid(f"it is {reference[:40]!r}, but must be <task id> or <task id>/<savepoint id>")
        try:
            job = await self._jobhistory.FindJob(pb.FindJobRequest(job_id=int(named[1])))
        except NotFound:
            raise _invalid(f"there is no job {named[1]} among yours") from None
        if job.submit_user != asker.user and not asker.is_admin:
            raise _invalid(f"there is no job {named[1]} among yours")
        if job.engine_type != request.kind:
            raise _invalid(f"job {job.job_id} ran on {job.engine_type}, and {request.kind} cannot go on from it")
        there = [each for each in await self.of(job) if not each.disposed_at_ms]
        if named[2]:
            there = [each for each in there if each.savepoint_id == int(named[2])]
        if not there:
            which = f"savepoint {named[2]}" if named[2] else "savepoint to go on from"
            raise _invalid(f"job {job.job_id} has no {which}; /entrance/{job.job_id}/savepoints lists those it has")
        return there[-1]


def _invalid(why: str) -> Invalid:
    return Invalid(codes.SAVEPOINT_UNKNOWN, f"{RESUME}: {why}", field=f"params.configuration.runtime.{RESUME}")
