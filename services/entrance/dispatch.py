"""run_job(): one job from what its rows say to its end. The page to read first.

It may start at any step: after a restart or a takeover it is the same function. Each call it makes is idempotent, and
whatever is lost between two of them is repeated here or put right by the manager's reconciling.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from commons.process import telemetry
from commons.process.errors import Conflict, HeadgateError, NotFound, Unavailable
from commons.storage import Storage
from protocol import codes, names
from protocol.ecm.client import Stub as Ecm
from protocol.ecm.v1 import ecm_pb2
from protocol.engineconn.v1 import engineconn_pb2
from protocol.jobhistory.client import Stub as JobHistory
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from protocol.manager.client import Stub as Manager
from protocol.manager.v1 import manager_pb2
from protocol.states.job import JobStatus
from protocol.values import JobRef
from services.entrance.following import follow, given_up
from services.entrance.grants import Grants
from services.entrance.held import Held
from services.entrance.intake import JobRequest
from services.entrance.logs import rendered
from services.entrance.long_code import code_of, drop
from services.entrance.obtaining import Grant, obtain, start

log = logging.getLogger(__name__)

AGAIN_SECONDS = 1.0
RETRY_SECONDS = 3.0
UNSTARTED_ATTEMPTS = 2
"""So many attempts beyond those asked for a job gets when its engine ended before the task came to it."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Whom run_job talks to."""

    jobhistory: JobHistory
    manager: Manager
    ecm_of: Callable[[str], Ecm]
    grants: Grants
    storage: Storage


async def run_job(held: Held, cancelled: asyncio.Event, parts: Parts) -> None:
    """Returns when the job has ended, or belongs to somebody else. What it does belongs to the trace of its submit."""
    with telemetry.continued(JobRequest.from_json(held.live.request).traceparent):
        await _until_ended(held, cancelled, parts)


async def _until_ended(held: Held, cancelled: asyncio.Event, parts: Parts) -> None:
    while True:
        job = held.live
        if job.wanted != "run":
            cancelled.set()
        ref, after = JobRef(job.job_id, job.attempt), None
        try:
            after = await _run(held, cancelled, parts)
        except HeadgateError as error:
            log.warning("job %s waits: %s", job.job_id, error)
            await asyncio.sleep(AGAIN_SECONDS)
        if after is not None:
            spoiled = after.spoiled or JobRequest.from_json(job.request).execute_once
            await _give_back(ref, parts, spoiled=spoiled)
            if not after.retried:
                await _drop_code(job, parts)
                return
        try:
            goes_on = await _refresh(held, parts)
        except Conflict as error:
            log.info("job %s is no longer ours: %s", job.job_id, error)
            parts.grants.forget(ref)
            return
        if not goes_on:  # its end was recorded, and only the answer was lost
            await _give_back(ref, parts, spoiled=True)
            await _drop_code(job, parts)
            return
        if after is not None:
            await asyncio.sleep(RETRY_SECONDS)


@dataclass(frozen=True, slots=True)
class _After:
    """`spoiled`: the end of the engine's task was not seen. `retried`: the job waits for its next attempt."""

    spoiled: bool
    retried: bool = False


async def _run(held: Held, cancelled: asyncio.Event, parts: Parts) -> _After:
    """One attempt, from wherever it is to its end."""
    job = held.live
    with telemetry.step("obtain engine", job_id=job.job_id, attempt=job.attempt):
        grant = await obtain(held, cancelled, parts.grants, parts.jobhistory)
    if grant is None:
        await _end_unstarted(held, parts)
        return _After(spoiled=True)
    if grant.state != Grant.READY and job.status != JobStatus.RUNNING:
        if grant.was_ready:
            return await _try_unstarted_again(held, parts, f"the engine ended before the job ran: {grant.why}")
        return await _fail(held, parts, codes.ENGINE_START_FAILED, f"the engine did not start: {grant.why}")
    if not grant.ecm_address:
        return await _fail(held, parts, codes.ENGINE_LOST, _ended_while_running(grant))
    # what a task said is still on its node when its engine has ended
    ecm = parts.ecm_of(grant.ecm_address)
    if job.status != JobStatus.RUNNING:
        await _warn(held, parts)
        await start(held, parts.jobhistory, grant)
    try:
        ended = await _run_on(grant, held, cancelled, ecm, parts)
    except (NotFound, Unavailable, Conflict) as error:
        return await _unfinished(held, grant, error, parts)
    await _acknowledge(job, ecm)
    retried = held.live.status == JobStatus.WAIT_FOR_RETRY  # a failed task's job may also have been wished ended
    return _After(spoiled=ended.code == codes.ENGINE_LOST, retried=retried)  # nobody else gets one that is dying


async def _warn(held: Held, parts: Parts) -> None:
    """What intake warned of becomes lines of the log, each once."""
    job, told = held.live, {line.why for line in held.story}
    for warning in JobRequest.from_json(job.request).warnings:
        if (why := f"Warning: {warning}") not in told:
            line = pb.AddStoryRequest(job_id=job.job_id, epoch=job.epoch, why=why, by="entrance", status=job.status)
            held.learn(await parts.jobhistory.AddStory(line))


async def _run_on(grant: Grant, held: Held, cancelled: asyncio.Event, ecm: Ecm, parts: Parts) -> engineconn_pb2.Ended:
    """Hand the task over and follow it to its end; wishes and the job's time limit are passed on meanwhile."""
    job = held.live
    helpers = [
        asyncio.create_task(_cancel_when_wished(job, cancelled, ecm)),
        asyncio.create_task(_end_in_time(held, cancelled, parts)),
    ]
    try:
        with telemetry.step("run task", job_id=job.job_id, attempt=job.attempt, engine_id=grant.engine_id):
            await _hand_over(held, grant, ecm, parts)
            return await follow(held, ecm, parts.jobhistory, lambda: _is_lost(job, parts), retry=_may_retry(job))
    finally:
        for helper in helpers:
            helper.cancel()


async def _unfinished(held: Held, grant: Grant, error: HeadgateError, parts: Parts) -> _After:
    """What becomes of an attempt whose task could not be followed to its end. Raises `error` when it may go on."""
    if error.code == codes.TASK_CLOSED:  # the wish to end it was there first
        await _end_unstarted(held, parts)
        return _After(spoiled=False)
    if error.code == codes.ENGINE_GONE:  # the engine never got the task
        return await _try_unstarted_again(held, parts, f"the engine is gone: {error.message}")
    if error.code == codes.ARTIFACT_UNUSABLE:
        return await _fail(held, parts, error.code, error.message, retried=False)
    # a node that is silent for a while may still run the task: it is given up only with its engine
    silent = isinstance(error, Unavailable) and not given_up(error, _is_lost(held.live, parts))
    if error.code == codes.NO_LONGER_YOURS or silent:
        raise error
    why = _ended_while_running(grant) if grant.state == Grant.LOST else f"the engine is gone: {error.message}"
    return await _fail(held, parts, codes.ENGINE_LOST, why)


def _is_lost(job: pb.LiveJob, parts: Parts) -> bool:
    return parts.grants.lost(JobRef(job.job_id, job.attempt))


def _ended_while_running(grant: Grant) -> str:
    return f"the engine ended while the job ran: {grant.why}"


async def _acknowledge(job: pb.LiveJob, ecm: Ecm) -> None:
    """What the task said is recorded: its folder may go."""
    try:
        await ecm.AckTask(ecm_pb2.AckTaskRequest(job_id=job.job_id, attempt=job.attempt, epoch=job.epoch))
    except HeadgateError as error:
        log.warning("job %s: its task's folder stays on its node for now: %s", job.job_id, error)


async def _hand_over(held: Held, grant: Grant, ecm: Ecm, parts: Parts) -> None:
    """Give the task to the engine; repeating it returns the running one."""
    job = held.live
    request = JobRequest.from_json(job.request)
    code = await code_of(job.short_id, request, parts.storage)
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
                code=code,
                run_type=request.run_type,
                configuration=request.configuration,
                story=rendered(held.story),
                secrets=request.secrets,
                resume=request.resume,
            ),
            artifacts=[ecm_pb2.Artifact(**artifact) for artifact in request.artifacts],
        )
    )


async def _cancel_when_wished(job: pb.LiveJob, cancelled: asyncio.Event, ecm: Ecm) -> None:
    """Once the job is wished ended, ask its task to stop, until it does."""
    await cancelled.wait()
    while True:
        try:
            await ecm.CancelTask(ecm_pb2.CancelTaskRequest(job_id=job.job_id, attempt=job.attempt, epoch=job.epoch))
        except HeadgateError as error:
            log.debug("job %s: cancel: %s", job.job_id, error)
        await asyncio.sleep(AGAIN_SECONDS)


async def _end_in_time(held: Held, cancelled: asyncio.Event, parts: Parts) -> None:
    """Wish the job ended once it has run for as long as it may."""
    job = held.live
    seconds = JobRequest.from_json(job.request).running_timeout_seconds
    if not seconds:
        return
    await asyncio.sleep(max(0.0, held.running_since_ms / 1000 + seconds - time.time()))
    wish = pb.WishCancelRequest(job_id=job.job_id, by=f"jobRunningTimeout={seconds}", timeout=True)
    while True:
        try:
            await parts.jobhistory.WishCancel(wish)
            break
        except HeadgateError as error:
            log.warning("job %s has run for too long, but: %s", job.job_id, error)
            await asyncio.sleep(AGAIN_SECONDS)
    cancelled.set()


def _may_retry(job: pb.LiveJob, *, unstarted: bool = False) -> bool:
    more = UNSTARTED_ATTEMPTS if unstarted else 0
    return job.attempt <= JobRequest.from_json(job.request).retries + more


async def _try_unstarted_again(held: Held, parts: Parts, why: str) -> _After:
    """Nothing of the attempt has run, so another one does nothing twice."""
    return await _fail(held, parts, codes.ENGINE_LOST, why, retried=_may_retry(held.live, unstarted=True))


async def _fail(held: Held, parts: Parts, code: int, why: str, *, retried: bool | None = None) -> _After:
    """The attempt has failed without its engine's own word: its engine is spoiled. A job wished ended is."""
    await _refresh(held, parts)
    if held.live.wanted == "cancel":
        await _end(held, parts, JobStatus.CANCELLED, codes.KILLED, f"the job was killed; {why}")
        return _After(spoiled=True)
    if held.live.wanted == "timeout":
        why = f"{names.too_long(held.live.wanted_by)}; {why}"
        await _end(held, parts, JobStatus.TIMEOUT, codes.TIMED_OUT, why)
        return _After(spoiled=True)
    retried = _may_retry(held.live) if retried is None else retried
    await _end(held, parts, JobStatus.WAIT_FOR_RETRY if retried else JobStatus.FAILED, code, why)
    return _After(spoiled=True, retried=retried)


async def _end_unstarted(held: Held, parts: Parts) -> None:
    await _refresh(held, parts)
    if held.live.wanted == "timeout":
        await _end(held, parts, JobStatus.TIMEOUT, codes.TIMED_OUT, names.too_long(held.live.wanted_by))
    else:
        await _end(held, parts, JobStatus.CANCELLED, codes.KILLED, "the job was killed before it ran")


async def _end(held: Held, parts: Parts, to: JobStatus, code: int, why: str) -> None:
    job = held.live
    request = pb.UpdateJobStatusRequest(
        job_id=job.job_id, epoch=job.epoch, source=job.status, steps=[pb.StatusStep(to=to, why=why)],
        by=job.wanted_by or "entrance", error_code=code, error_desc=why,
    )  # fmt: skip
    held.learn(await parts.jobhistory.UpdateJobStatus(request))


async def _refresh(held: Held, parts: Parts) -> bool:
    """Whether the job has not ended; it is as its rows say now. Raises Conflict when it is another owner's."""
    while True:
        try:
            return await held.refresh(parts.jobhistory)
        except HeadgateError as error:
            if error.code == codes.NO_LONGER_YOURS:
                raise
            log.warning("job %s waits: %s", held.job.job_id, error)
            await asyncio.sleep(AGAIN_SECONDS)


async def _drop_code(job: pb.LiveJob, parts: Parts) -> None:
    if not JobRequest.from_json(job.request).code:
        await drop(job.short_id, parts.storage)


async def _give_back(ref: JobRef, parts: Parts, *, spoiled: bool) -> None:
    """Release the engine; should the manager not answer, its reconciling does it."""
    parts.grants.forget(ref)
    try:
        await parts.manager.ReleaseEngine(
            manager_pb2.ReleaseEngineRequest(job_id=ref.job_id, attempt=ref.attempt, spoiled=spoiled)
        )
    except HeadgateError as error:
        log.warning("job %s: its engine was not given back now: %s", ref, error)
