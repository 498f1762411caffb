"""A task's numbered events, from its node to the history, each recorded once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

from commons.process import telemetry
from commons.process.errors import Unavailable
from protocol import codes
from protocol.ecm.client import Stub as Ecm
from protocol.ecm.v1 import ecm_pb2
from protocol.engineconn.v1.engineconn_pb2 import Ended, TaskEvent
from protocol.jobhistory.client import Stub as JobHistory
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from services.entrance.held import Held

log = logging.getLogger(__name__)

GATHER_SECONDS = 0.1
AGAIN_SECONDS = 0.5
QUEUED_EVENTS = 10_000
MOST_AT_ONCE = 1000

_RECORDED = telemetry.counter("job_events_recorded", "Events of tasks that are in the history.")
_LAG = telemetry.histogram(
    "job_event_lag_seconds", "From an event on its node until it was recorded, of the oldest of those recorded at once."
)


async def follow(held: Held, ecm: Ecm, jobhistory: JobHistory, lost: Callable[[], bool], *, retry: bool) -> Ended:
    """The task's end, once it is recorded; with `retry`, one that failed as an attempt only.

    A node that does not answer is asked again until `lost` says that its engine is gone: then Unavailable is raised.
    Raises NotFound when the node does not know the task, Conflict when the job is no longer ours.
    """
    job, seen = held.live, held.live.events_seen
    while True:
        request = ecm_pb2.WatchTaskRequest(job_id=job.job_id, attempt=job.attempt, after=seen)
        gathered: asyncio.Queue[TaskEvent | None] = asyncio.Queue(QUEUED_EVENTS)
        reading = asyncio.create_task(_read(ecm, request, gathered))
        try:
            while (events := await _gather(gathered)) is not None:
                up_to = events[-1].number
                news = pb.RecordRequest(
                    job_id=job.job_id, epoch=job.epoch, after=seen, up_to=up_to, events=events, retry=retry
                )
                held.learn(await jobhistory.Record(news))
                seen = up_to
                _RECORDED.inc(len(events))
                _LAG.observe(max(0.0, time.time() - events[0].at_ms / 1000))
                if events[-1].HasField("ended"):
                    return events[-1].ended
            await reading
        except Unavailable as error:
            if given_up(error, lost()):
                raise
            log.debug("job %s: the stream of its events broke: %s", job.job_id, error)
        finally:
            reading.cancel()
        await asyncio.sleep(AGAIN_SECONDS)


def given_up(error: Unavailable, lost: bool) -> bool:
    """Whether a task will never be heard of again: its engine is lost, and its node does not answer.

    A node without room answers, and goes on once there is some.
    """
    return lost and error.code != codes.NOT_WRITTEN


async def _read(ecm: Ecm, request: ecm_pb2.WatchTaskRequest, gathered: asyncio.Queue[TaskEvent | None]) -> None:
    try:
        async for message in ecm.WatchTask(request):
            for event in message.events:
                await gathered.put(event)
    except Exception:
        await gathered.put(None)
        raise
    await gathered.put(None)


async def _gather(gathered: asyncio.Queue[TaskEvent | None]) -> list[TaskEvent] | None:
    """What has come, a moment's worth of it or up to the end; None when nothing more comes."""
    first = await gathered.get()
    if first is None:
        return None
    events = [first]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GATHER_SECONDS):
            while not events[-1].HasField("ended") and len(events) < MOST_AT_ONCE:
                event = await gathered.get()
                if event is None:
                    gathered.put_nowait(None)
                    break
                events.append(event)
    return events
