"""The wait for an engine: from a job's request to a grant that is ready, its story told in the log."""

from __future__ import annotations

import asyncio
import time
from asyncio import FIRST_COMPLETED
from collections.abc import Sequence

from protocol.jobhistory.client import Stub as JobHistory
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from protocol.manager.v1 import manager_pb2
from protocol.states.job import JobStatus
from services.entrance.grants import Grants
from services.entrance.held import Held
from services.entrance.intake import JobRequest

Grant = manager_pb2.EngineGrant
WAITS_UNTOLD_SECONDS = 1.0
"""Who waits no longer than this is not told why."""
NO_LIMIT_SECONDS = 10 * 365 * 86_400.0
_UNSTARTED = (JobStatus.INITED, JobStatus.WAIT_FOR_RETRY)


async def obtain(held: Held, cancelled: asyncio.Event, grants: Grants, jobhistory: JobHistory) -> Grant | None:
    """The grant when it is ready or lost; None when the job is wished ended before, or has waited for too long."""
    job = held.live
    wanted = JobRequest.from_json(job.request)
    request = manager_pb2.EngineRequest(
        job_id=job.job_id,
        attempt=job.attempt,
        epoch=job.epoch,
        instance=job.instance,
        tenant=job.tenant,
        labels=wanted.labels(job.job_id).message(),
    )
    if cancelled.is_set() and job.status in _UNSTARTED:
        return None
    grant = await grants.ask(request)
    told, untold_until = "", time.monotonic() + WAITS_UNTOLD_SECONDS
    while grant.state in (Grant.WAITING, Grant.GRANTED):
        if grant.state == Grant.GRANTED and job.status in _UNSTARTED:
            await _move(held, jobhistory, [_scheduled(grant, "held")], grant)
        if grant.state == Grant.GRANTED:
            untold_until = 0.0
        patience_seconds = untold_until - time.monotonic()
        if grant.why not in ("", told) and patience_seconds <= 0:
            told = grant.why
            await _tell(held, jobhistory, grant)
        left_seconds = _left(job, wanted)
        news = asyncio.create_task(grants.news(request, grant))
        killing = asyncio.create_task(cancelled.wait())
        try:
            seconds = patience_seconds if 0 < patience_seconds < left_seconds else left_seconds
            await asyncio.wait({news, killing}, timeout=seconds, return_when=FIRST_COMPLETED)
            if news.done():
                grant = news.result()
            elif cancelled.is_set():
                return None
            elif seconds == left_seconds:
                await _waited_too_long(job, wanted, jobhistory)
                return None
        finally:
            news.cancel()
            killing.cancel()
    return grant


async def _tell(held: Held, jobhistory: JobHistory, grant: Grant) -> None:
    """A line of the job's log that says how its engine is doing."""
    stage = "Waiting for an engine" if grant.state == Grant.WAITING else "The engine is starting"
    job = held.live
    story = pb.AddStoryRequest(
        job_id=job.job_id, epoch=job.epoch, why=f"{stage}: {grant.why}", by="manager", status=job.status
    )
    held.learn(await jobhistory.AddStory(story))


def _left(job: pb.LiveJob, wanted: JobRequest) -> float:
    """Seconds that the job may still wait for."""
    if not wanted.queuing_timeout_seconds or job.attempt > 1:
        return NO_LIMIT_SECONDS
    return max(0.0, job.created_at_ms / 1000 + wanted.queuing_timeout_seconds - time.time())


async def _waited_too_long(job: pb.LiveJob, wanted: JobRequest, jobhistory: JobHistory) -> None:
    by = f"jobQueuingTimeout={wanted.queuing_timeout_seconds}"
    await jobhistory.WishCancel(pb.WishCancelRequest(job_id=job.job_id, by=by, timeout=True))


async def start(held: Held, jobhistory: JobHistory, grant: Grant) -> None:
    """The engine is ready: the job is Running."""
    steps = [_scheduled(grant, "free")] if held.live.status in _UNSTARTED else []
    running = pb.StatusStep(to=JobStatus.RUNNING, why="Your job is Running now. Please wait it to complete.")
    await _move(held, jobhistory, [*steps, running], grant)


def _scheduled(grant: Grant, how: str) -> pb.StatusStep:
    why = f"Your job is Scheduled. Please wait it to run. Engine {grant.engine_id} on {grant.node} is {how}"
    return pb.StatusStep(to=JobStatus.SCHEDULED, why=why)


async def _move(held: Held, jobhistory: JobHistory, steps: Sequence[pb.StatusStep], grant: Grant) -> None:
    """Record that the job is further, and with which engine."""
    job = held.live
    request = pb.UpdateJobStatusRequest(
        job_id=job.job_id, epoch=job.epoch, source=job.status, steps=steps, by="entrance",
        engine_id=grant.engine_id, node=grant.node, ecm_address=grant.ecm_address,
    )  # fmt: skip
    change = await jobhistory.UpdateJobStatus(request)
    job.engine_id, job.node, job.ecm_address = grant.engine_id, grant.node, grant.ecm_address
    held.learn(change)
