"""What the doors can do with jobs: submit, find, list, kill, read. Any instance answers for any job."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from dataclasses import replace

from commons.process.clock import Clock
from commons.process.errors import (
    AlreadyExists,
    Conflict,
    Exhausted,
    HeadgateError,
    Invalid,
    NotFound,
    Refused,
    Unavailable,
)
from commons.process.ids import time_ordered
from commons.process.masking import Secrets, masked
from commons.storage import Storage
from protocol import codes, layout
from protocol.jobhistory.client import Stub as JobHistory
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from protocol.states.job import JOB, JobStatus
from protocol.values import Tenant
from services.entrance.artifacts import Artifacts
from services.entrance.held import ENDED
from services.entrance.idempotency import SubmitKeys
from services.entrance.instance import Instance
from services.entrance.intake import Intake, JobRequest
from services.entrance.job_artifacts import with_artifacts
from services.entrance.logs import Logs
from services.entrance.long_code import drop
from services.entrance.savepoints import Savepoints
from services.entrance.users import Asker
from services.entrance.wire import exec_id
from services.entrance.wire.exec_id import JobId, ShortId
from services.entrance.wire.jobs import Submit, exec_id_of

log = logging.getLogger(__name__)

POLL_SECONDS = 0.1
LONGEST_CODE = 50_000
"""Bytes of code in a row, also as it is written in JSON; longer code lies in a file."""
LONGEST_OBSERVE_INFO = 500
"""Bytes of it that the history has room for."""


class Jobs:
    """Composed by `app`; holds nothing of its own."""

    def __init__(
        self,
        jobhistory: JobHistory,
        intake: Intake,
        keys: SubmitKeys,
        instance: Instance,
        logs: Logs,
        savepoints: Savepoints,
        storage: Storage,
        clock: Clock,
        artifacts: Artifacts,
    ) -> None:
        self._jobhistory = jobhistory
        self._intake = intake
        self._keys = keys
        self._instance = instance
        self._logs = logs
        self._savepoints = savepoints
        self._storage = storage
        self._clock = clock
        self._artifacts = artifacts
        self.offered = intake.offered
        """Engine kinds and their versions."""

    async def submit(self, submit: Submit, asker: Asker, key: str | None = None) -> pb.Job:
        """The job, saved for good; the same for a repeated `key`. Raises what intake and the queue limit raise.

        What intake refuses is kept as a job that has failed, which the error names; of one that the queue has no place
        for, nothing is kept.
        """
        try:
            request = self._intake.accept(submit, asker, self._clock.now_ms())
            request = await self._savepoints.resumed(request, asker)
            request, used = await with_artifacts(request, asker, self._artifacts)
        except (Invalid, Refused, NotFound) as fault:
            fault.more = await self._keep_refused(submit, asker, fault, key)
            raise
        short = exec_id.short_id(submit.creator, asker.user, request.kind, time_ordered())
        if key is not None:
            short = await self._keys.bind(asker.user, key, submit, short)
        place = layout.JobPath(layout.day_of(self._clock.now_ms()), asker.user, short, 1)
        if used:
            await self._artifacts.uses.add(short, [(each.resource_id, each.number) for each in used])
        try:
            record = await asyncio.to_thread(self._record, submit, request, asker, place)
            job = await self._save(record)
        except AlreadyExists:
            if key is None:  # another process made the same id: a new one
                return await self.submit(submit, asker)
            job = await self._jobhistory.FindJob(pb.FindJobRequest(short_id=short))
        except Unavailable as error:  # it may have been saved all the same
            try:
                job = await self._jobhistory.FindJob(pb.FindJobRequest(short_id=short))
            except NotFound:
                if error.code == codes.NOT_WRITTEN:  # for want of room it was not
                    await self._undo(place, asker, key, request)
                raise error from None
        except (Conflict, Exhausted, Invalid):
            await self._undo(place, asker, key, request)
            raise
        self._instance.take(job)
        return job

    async def _save(self, record: pb.SaveJobHistoryRequest) -> pb.Job:
        """The job, which may have been saved before and even have ended: its code then is not to lie about."""
        job = await self._jobhistory.SaveJobHistory(record)
        if not job.HasField("live"):
            await drop(job.short_id, self._storage)
        return job

    async def _keep_refused(
        self, submit: Submit, asker: Asker, fault: HeadgateError, key: str | None
    ) -> dict[str, object]:
        """The ids of a failed job that tells why, the same for a repeated `key`; none when it cannot be kept."""
        kind, _, version = submit.engine.partition("-")
        kind = kind if kind in self._intake.offered else "unknown"
        fresh = exec_id.short_id(submit.creator, asker.user, kind, time_ordered())
        short = fresh if key is None else await self._keys.bind(asker.user, key, submit, fresh)
        if short != fresh:  # an earlier submit's, and so are its files
            with contextlib.suppress(NotFound):
                return _ids(await self._jobhistory.FindJob(pb.FindJobRequest(short_id=short)))
        place = layout.JobPath(layout.day_of(self._clock.now_ms()), asker.user, short, 1)
        run_type = await asyncio.to_thread(masked, submit.run_type)
        request = JobRequest("", run_type, kind, version, submit.configuration)
        secrets = await asyncio.to_thread(Secrets.of, submit.code, submit.params)
        why = await asyncio.to_thread(secrets.mask, fault.message)
        try:
            record = await asyncio.to_thread(self._record, submit, request, asker, place)
            record.refusal.CopyFrom(pb.Refusal(error_code=fault.code, error_desc=why))
            job = await self._save(record)
            ENDED.labels(kind, job.status).inc()
        except HeadgateError as error:
            log.warning("a submit that intake refused is not kept: %s", error)
            if short == fresh:
                await self._undo(place, asker, key, request)
            return {}
        return _ids(job)

    async def _undo(self, place: layout.JobPath, asker: Asker, key: str | None, request: JobRequest) -> None:
        """Keep nothing of a submit that is refused; a key that cannot be let go now still leads to no job."""
        with contextlib.suppress(HeadgateError, OSError):
            await asyncio.to_thread(self._storage.remove, place.job)
            await drop(place.short_id, self._storage)
            if request.artifacts:
                await self._artifacts.uses.drop(place.short_id)
            if key is not None:
                await self._keys.release(asker.user, key)

    async def wait(self, job: pb.Job, asker: Asker, seconds: float) -> pb.Job:
        """The job once its status is another one, or as it is after `seconds`."""
        until, before = time.monotonic() + seconds, job.status
        while job.status == before and not JOB.final(JobStatus(before)) and (left := until - time.monotonic()) > 0:
            job = await self.later(job, asker, left)
        return job

    async def later(self, job: pb.Job, asker: Asker, at_most_seconds: float) -> pb.Job:
        """The job once it has changed, or after a while. One that is held elsewhere is looked at again and again."""
        held = self._instance.held(JobId(job.job_id))
        if held is not None:
            return await held.later(job, at_most_seconds)
        now = await self.find(JobId(job.job_id), asker)  # one that was held here may have ended since
        if now.status == job.status:
            await asyncio.sleep(min(at_most_seconds, POLL_SECONDS))
        return now

    async def find(self, key: JobId | ShortId, asker: Asker) -> pb.Job:
        """The job, if the asker may see it. Raises NotFound for both: another user's job looks unknown."""
        held = self._instance.held(key)
        job = held.job if held is not None else await self._ask_for(key)
        if job.submit_user != asker.user and not asker.is_admin:
            raise _unknown()
        return job

    async def _ask_for(self, key: JobId | ShortId) -> pb.Job:
        if isinstance(key, JobId):
            request = pb.FindJobRequest(job_id=key.value)
        else:
            request = pb.FindJobRequest(short_id=key.value)
        try:
            return await self._jobhistory.FindJob(request)
        except NotFound:
            raise _unknown() from None

    async def query(self, wanted: pb.JobHistoryQuery) -> pb.JobHistoryPage:
        return await self._jobhistory.QueryJobHistory(wanted)

    async def count(self, wanted: pb.JobHistoryQuery) -> dict[str, int]:
        """How many jobs a query finds, by status."""
        return dict((await self._jobhistory.CountJobs(wanted)).by_status)

    async def held_here(self) -> int:
        """How many unended jobs this instance holds."""
        return sum((await self.count(pb.JobHistoryQuery(owner=self._instance.name))).values())

    async def observe(self, job: pb.Job, observe_info: str) -> None:
        """Keep with the job whom to notify of it; an empty text removes that. Raises Invalid for a long one."""
        if len(observe_info.encode()) > LONGEST_OBSERVE_INFO:  # before it is looked through for secrets
            what = f"observe_info is longer than {LONGEST_OBSERVE_INFO} bytes; shorten it"
            raise Invalid(codes.FIELD_INVALID, what, field="observe_info")
        request = pb.SetObserveInfoRequest(job_id=job.job_id, observe_info=masked(observe_info))
        await self._jobhistory.SetObserveInfo(request)
        if (held := self._instance.held(JobId(job.job_id))) is not None:
            held.observe(request.observe_info)

    async def kill(self, job: pb.Job, asker: Asker) -> None:
        """Write the wish; its owner acts on it. Harmless for a job that has ended."""
        await self._jobhistory.WishCancel(pb.WishCancelRequest(job_id=job.job_id, by=asker.user))
        self._instance.cancel(job.job_id)

    async def log(self, job: pb.Job, from_line: int, max_lines: int) -> list[str]:
        return await self._logs.read(job, from_line, max_lines)

    def _record(
        self, submit: Submit, request: JobRequest, asker: Asker, place: layout.JobPath
    ) -> pb.SaveJobHistoryRequest:
        """What is saved: without secrets for the history, with them to run. Long code lies in a file for each.

        This is the one place where what the history keeps of a submit is masked.
        """
        told = Secrets.of(request.code, request.configuration)
        secrets = Secrets.of(told, submit.code, submit.params, submit.source)
        request = replace(request, secrets=[value for value in secrets.values if value not in set(told.values)])
        code = secrets.mask(submit.code)
        if max(len(code.encode()), len(submit.code.encode()), len(json.dumps(request.code))) > LONGEST_CODE:
            self._storage.write(f"{place}/{layout.CODE}", code.encode())
            code = self._storage.address(f"{place}/{layout.CODE}")
            self._storage.write(layout.code_to_run(place.short_id), request.code.encode())
            request = replace(request, code="")
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
            source=json.dumps(secrets.mask_all(submit.source)),
            labels=json.dumps(labels),
            params=json.dumps(secrets.mask_all(submit.params)),
            result_location=self._storage.address(f"{place}/{layout.RESULTS}"),
            log_path=self._storage.address(f"{place}/{layout.LOG}"),
            request=request.to_json(),
            resumes=request.savepoint_id,
        )


def _unknown() -> NotFound:
    """The same for a job that there is not and for one of another user."""
    return NotFound(codes.JOB_UNKNOWN, "there is no such job among yours; /jobhistory/list tells them", field="id")


def _ids(job: pb.Job) -> dict[str, object]:
    return {"taskID": job.job_id, "execID": exec_id_of(job)}
