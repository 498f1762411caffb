"""What the doors can do with jobs: submit, find, list, kill, read. Any instance answers for any job."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace

from commons.process.clock import Clock
from commons.process.errors import AlreadyExists, Exhausted, Invalid, NotFound, Unavailable
from commons.process.ids import time_ordered
from commons.storage import Storage
from protocol import codes, layout
from protocol.jobhistory.client import Stub as JobHistory
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from protocol.states.job import JOB, JobStatus
from protocol.values import Tenant
from services.entrance.idempotency import SubmitKeys
from services.entrance.instance import Instance
from services.entrance.intake import Intake, JobRequest, day_of
from services.entrance.logs import Logs
from services.entrance.users import Asker
from services.entrance.wire import exec_id
from services.entrance.wire.exec_id import JobId, ShortId
from services.entrance.wire.jobs import Submit

WAIT_POLL_SECONDS = 0.1
LONGEST_CODE = 50_000
"""Bytes of code in a row, also as it is written in JSON; longer code lies in a file."""


class Jobs:
    """Composed by `app`; holds nothing of its own."""

    def __init__(
        self,
        jobhistory: JobHistory,
        intake: Intake,
        keys: SubmitKeys,
        instance: Instance,
        logs: Logs,
        storage: Storage,
        clock: Clock,
    ) -> None:
        self._jobhistory = jobhistory
        self._intake = intake
        self._keys = keys
        self._instance = instance
        self._logs = logs
        self._storage = storage
        self._clock = clock

    async def submit(self, submit: Submit, asker: Asker, key: str = "") -> pb.Job:
        """The job, saved for good; the same for a repeated `key`. Raises what intake and the queue limit raise.

        Nothing is kept of a submit that is refused.
        """
        request = self._intake.accept(submit, asker, self._clock.now_ms())
        short = exec_id.short_id(submit.creator, asker.user, request.kind, time_ordered())
        if key:
            short = await self._keys.bind(asker.user, key, submit, short)
        place = layout.JobPath(day_of(self._clock.now_ms()), asker.user, short, 1)
        record = await asyncio.to_thread(self._record, submit, request, asker, place)
        try:
            job = await self._jobhistory.SaveJobHistory(record)
        except AlreadyExists:
            if not key:  # another process made the same id: a new one
                return await self.submit(submit, asker)
            job = await self._jobhistory.FindJob(pb.FindJobRequest(short_id=short))
        except Unavailable as error:  # it may have been saved all the same
            try:
                job = await self._jobhistory.FindJob(pb.FindJobRequest(short_id=short))
            except NotFound:
                raise error from None
        except (Exhausted, Invalid):
            await asyncio.to_thread(self._storage.remove, str(place).rpartition("/")[0])
            if key:
                await self._keys.release(asker.user, key)
            raise
        self._instance.take(job.job_id)
        return job

    async def wait(self, job: pb.Job, asker: Asker, seconds: float) -> pb.Job:
        """The job once its status is another one, or as it is after `seconds`."""
        until, before = time.monotonic() + seconds, job.status
        while job.status == before and not JOB.final(JobStatus(before)) and time.monotonic() < until:
            await asyncio.sleep(WAIT_POLL_SECONDS)
            job = await self.find(JobId(job.job_id), asker)
        return job

    async def find(self, key: JobId | ShortId, asker: Asker) -> pb.Job:
        """The job, if the asker may see it. Raises NotFound for both: another user's job looks unknown."""
        if isinstance(key, JobId):
            request = pb.FindJobRequest(job_id=key.value)
        else:
            request = pb.FindJobRequest(short_id=key.value)
        try:
            job = await self._jobhistory.FindJob(request)
        except NotFound:
            raise _unknown() from None
        if job.submit_user != asker.user and not asker.is_admin:
            raise _unknown()
        return job

    async def query(self, wanted: pb.JobHistoryQuery) -> pb.JobHistoryPage:
        return await self._jobhistory.QueryJobHistory(wanted)

    async def count(self, wanted: pb.JobHistoryQuery) -> dict[str, int]:
        """How many jobs a query finds, by status."""
        return dict((await self._jobhistory.CountJobs(wanted)).by_status)

    async def held_here(self) -> int:
        """How many unended jobs this instance holds."""
        return sum((await self.count(pb.JobHistoryQuery(owner=self._instance.name))).values())

    async def observe(self, job: pb.Job, observe_info: str) -> None:
        """Keep with the job whom to notify of it; an empty text removes that."""
        request = pb.SetObserveInfoRequest(job_id=job.job_id, observe_info=observe_info)
        await self._jobhistory.SetObserveInfo(request)

    async def kill(self, job: pb.Job, asker: Asker) -> None:
        """Write the wish; its owner acts on it. Harmless for a job that has ended."""
        await self._jobhistory.WishCancel(pb.WishCancelRequest(job_id=job.job_id, by=asker.user))
        self._instance.cancel(job.job_id)

    async def log(self, job: pb.Job, from_line: int, max_lines: int) -> list[str]:
        return await self._logs.read(job, from_line, max_lines)

    def _record(
        self, submit: Submit, request: JobRequest, asker: Asker, place: layout.JobPath
    ) -> pb.SaveJobHistoryRequest:
        """What is saved. Long code lies in files: as it was written, and as it runs."""
        code = submit.code
        if len(code.encode()) > LONGEST_CODE or len(json.dumps(request.code)) > LONGEST_CODE:
            self._storage.write(f"{place}/{layout.CODE}", code.encode())
            self._storage.write(f"{place}/{layout.CODE_TO_RUN}", request.code.encode())
            code = self._storage.address(f"{place}/{layout.CODE}")
            request = replace(request, code="", code_path=f"{place}/{layout.CODE_TO_RUN}")
        tenant = Tenant(asker.user, submit.creator)
        labels = {
            "userCreator": str(tenant),
            "engineType": f"{request.kind}-{request.version}",
            "codeType": request.run_type,
        }
        if request.execute_once:
            labels["executeOnce"] = ""
        return pb.SaveJobHistoryRequest(
            short_id=place.short_id,
            instance=self._instance.name,
            tenant=tenant.message(),
            execute_user=asker.user,
            engine_type=request.kind,
            run_type=request.run_type,
            execution_code=code,
            source=json.dumps(submit.source),
            labels=json.dumps(labels),
            params=json.dumps(submit.params),
            result_location=self._storage.address(f"{place}/{layout.RESULTS}"),
            log_path=self._storage.address(f"{place}/{layout.LOG}"),
            request=request.to_json(),
        )


def _unknown() -> NotFound:
    """The same for a job that there is not and for one of another user."""
    return NotFound(codes.JOB_UNKNOWN, "there is no such job among yours; /jobhistory/list tells them", field="id")
