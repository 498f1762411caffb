"""run_job(): one job from what its rows say to its end. The page to read first.

It may start at any step: after a restart or a takeover it is the same function. Each call it makes is idempotent, and
whatever is lost between two of them is repeated here or put right by the manager's reconciling.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from commons.process.errors import Conflict, HeadgateError, NotFound, Unavailable
from commons.storage import Storage
from protocol import codes
from protocol.ecm.client import Stub as Ecm
from protocol.ecm.v1 import ecm_pb2
from protocol.engineconn.v1 import engineconn_pb2
from protocol.jobhistory.client import Stub as JobHistory
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from protocol.manager.client import Stub as Manager
from protocol.manager.v1 import manager_pb2
from protocol.states.job import JobStatus
from protocol.values import JobRef
from services.entrance.following import follow
from services.entrance.grants import Grants
from services.entrance.intake import JobRequest
from services.entrance.logs import rendered

log = logging.getLogger(__name__)

Grant = manager_pb2.EngineGrant
AGAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Parts:
    """Whom run_job talks to."""

    jobhistory: JobHistory
    manager: Manager
    ecm_of: Callable[[str], Ecm]
    grants: Grants
    storage: Storage


async def run_job(job: pb.LiveJob, cancelled: asyncio.Event, parts: Parts) -> None:
    """Returns when the job has ended, or belongs to somebody else."""
    ref = JobRef(job.job_id, job.attempt)
    if job.wanted == "cancel":
        cancelled.set()
    while True:
        try:
            spoiled = await _run(job, cancelled, parts)
            break
        except Conflict as error:
            if error.code == codes.NO_LONGER_YOURS:
                log.info("job %s is no longer ours: %s", job.job_id, error)
                parts.grants.forget(ref)
                return
            log.warning("job %s: %s", job.job_id, error)
        except HeadgateError as error:
            log.warning("job %s waits: %s", job.job_id, error)
        await asyncio.sleep(AGAIN_SECONDS)
        job = (await _find(job, parts)) or job
    await _give_back(ref, parts, spoiled=spoiled)


async def _run(job: pb.LiveJob, cancelled: asyncio.Event, parts: Parts) -> bool:
    """Whether the engine is spoiled: its task's end was not seen."""
    grant = await _obtain(job, cancelled, parts)
    if grant is None:
        await _end(job, parts, JobStatus.CANCELLED, codes.KILLED, "the job was killed before it ran")
        return True
    if grant.state != Grant.READY:
        code = codes.ENGINE_LOST if job.status == JobStatus.RUNNING else codes.ENGINE_START_FAILED
        await _end(job, parts, JobStatus.FAILED, code, f"the engine did not start: {grant.why}")
        return True
    ecm = parts.ecm_of(grant.ecm_address)
    if job.status != JobStatus.RUNNING:
        await _move(job, parts, JobStatus.RUNNING, "Your job is Running now. Please wait it to complete.", grant)
    cancelling = asyncio.create_task(_cancel_when_wished(job, cancelled, ecm))

    def lost() -> bool:
        return parts.grants.lost(JobRef(job.job_id, job.attempt))

    try:
        await _hand_over(job, grant, ecm, parts)
        await follow(job, ecm, parts.jobhistory, lost)
    except (NotFound, Unavailable, Conflict) as error:
        # a node that is silent for a while may still run the task: it is given up only with its engine
        if error.code == codes.NO_LONGER_YOURS or (isinstance(error, Unavailable) and not lost()):
            raise
        await _end(job, parts, JobStatus.FAILED, codes.ENGINE_LOST, f"the engine is gone: {error.message}")
        return True
    finally:
        cancelling.cancel()
    await ecm.AckTask(ecm_pb2.AckTaskRequest(job_id=job.job_id, attempt=job.attempt, epoch=job.epoch))
    return False


async def _obtain(job: pb.LiveJob, cancelled: asyncio.Event, parts: Parts) -> Grant | None:
    """The grant when it is ready or lost; None when the job is killed before. The wait's story goes to the log."""
    request = manager_pb2.EngineRequest(
        job_id=job.job_id,
        attempt=job.attempt,
        epoch=job.epoch,
        instance=job.instance,
        tenant=job.tenant,
        labels=JobRequest.from_json(job.request).labels.message(),
    )
    if cancelled.is_set() and job.status == JobStatus.INITED:
        return None
    grant = await parts.grants.ask(request)
    told = ""
    while grant.state in (Grant.WAITING, Grant.GRANTED):
        if grant.state == Grant.GRANTED and job.status == JobStatus.INITED:
            why = f"Your job is Scheduled. Please wait it to run. Engine {grant.engine_id} on {grant.node} is held"
            await _move(job, parts, JobStatus.SCHEDULED, why, grant)
        if grant.why and grant.why != told:
            told = grant.why
            await parts.jobhistory.AddStory(
                pb.AddStoryRequest(job_id=job.job_id, epoch=job.epoch, why=f"{_stage(grant)}: {told}", by="manager")
            )
        news = asyncio.ensure_future(parts.grants.news(request, grant))
        killing = asyncio.ensure_future(cancelled.wait())
        await asyncio.wait({news, killing}, return_when=asyncio.FIRST_COMPLETED)
        killing.cancel()
        if not news.done():
            news.cancel()
            return None
        grant = news.result()
    if grant.state == Grant.READY and job.status == JobStatus.INITED:
        why = f"Your job is Scheduled. Please wait it to run. Engine {grant.engine_id} on {grant.node} is free"
        await _move(job, parts, JobStatus.SCHEDULED, why, grant)
    return grant


def _stage(grant: Grant) -> str:
    return "Waiting for an engine" if grant.state == Grant.WAITING else "The engine is starting"


async def _hand_over(job: pb.LiveJob, grant: Grant, ecm: Ecm, parts: Parts) -> None:
    """Give the task to the engine; repeating it returns the running one."""
    request = JobRequest.from_json(job.request)
    story = await parts.jobhistory.GetStory(pb.GetStoryRequest(job_id=job.job_id))
    location = parts.storage.relative(job.result_location)
    assert location is not None
    await ecm.RunTask(
        ecm_pb2.RunTaskRequest(
            engine_id=grant.engine_id,
            epoch=job.epoch,
            location=location.removesuffix("/results"),
            task=engineconn_pb2.Task(
                job_id=job.job_id,
                attempt=job.attempt,
                code=request.code,
                run_type=request.run_type,
                configuration=request.configuration,
                story=rendered(story),
            ),
        )
    )


async def _cancel_when_wished(job: pb.LiveJob, cancelled: asyncio.Event, ecm: Ecm) -> None:
    """Once the job is wished cancelled, ask its task to stop, until it does."""
    await cancelled.wait()
    while True:
        try:
            await ecm.CancelTask(ecm_pb2.CancelTaskRequest(job_id=job.job_id, attempt=job.attempt, epoch=job.epoch))
        except HeadgateError as error:
            log.debug("job %s: cancel: %s", job.job_id, error)
        await asyncio.sleep(AGAIN_SECONDS)


async def _move(job: pb.LiveJob, parts: Parts, to: JobStatus, why: str, grant: Grant) -> None:
    await parts.jobhistory.UpdateJobStatus(
        pb.UpdateJobStatusRequest(
            job_id=job.job_id,
            epoch=job.epoch,
            to=to,
            why=why,
            by="entrance",
            engine_id=grant.engine_id,
            node=grant.node,
            ecm_address=grant.ecm_address,
        )
    )
    job.status = to


async def _end(job: pb.LiveJob, parts: Parts, to: JobStatus, code: int, why: str) -> None:
    await parts.jobhistory.UpdateJobStatus(
        pb.UpdateJobStatusRequest(
            job_id=job.job_id,
            epoch=job.epoch,
            to=to,
            why=why,
            by=job.wanted_by or "entrance",
            error_code=code,
            error_desc=why,
        )
    )


async def _find(job: pb.LiveJob, parts: Parts) -> pb.LiveJob | None:
    """The job as its rows say now; None when they cannot be asked, or say that it has ended."""
    try:
        found = await parts.jobhistory.FindJob(pb.FindJobRequest(job_id=job.job_id))
    except HeadgateError:
        return None
    return found.live if found.HasField("live") else None


async def _give_back(ref: JobRef, parts: Parts, *, spoiled: bool) -> None:
    """Release the engine; should the manager not answer, its reconciling does it."""
    parts.grants.forget(ref)
    try:
        await parts.manager.ReleaseEngine(
            manager_pb2.ReleaseEngineRequest(job_id=ref.job_id, attempt=ref.attempt, spoiled=spoiled)
        )
    except HeadgateError as error:
        log.warning("job %s: its engine was not given back now: %s", ref, error)
