"""/entrance/{id}/events: a job as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from commons.process import telemetry
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from services.entrance.api.asking import asker_of
from services.entrance.api.declared import JobKey, declared
from services.entrance.events import events
from services.entrance.jobs import Jobs
from services.entrance.users import Asker
from services.entrance.wire.exec_id import parse_job_key
from services.entrance.wire.queries import number

router = APIRouter(prefix="/entrance", tags=["entrance"])

_OPEN = telemetry.gauge("event_streams_open", "Clients that watch a job as server-sent events.")


_EVENT: dict[str, object] = {
    "event": {"enum": ["status", "progress", "log", "end"]},
    "id": {"type": "string", "pattern": "^[0-9]+$", "description": "How many lines of the log have been told."},
    "data": {"type": "string", "description": "JSON, as the route of that name answers."},
}
_EVENTS: dict[str, dict[str, object]] = {
    "text/event-stream": {"type": "object", "description": "Each event.", "properties": _EVENT}
}
_SEEN: dict[str, object] = {
    "type": "integer",
    "description": "The id of the last event seen: the stream goes on there.",
}


@router.get(
    "/{id}/events",
    response_class=StreamingResponse,
    **declared("jobEvents", _EVENTS, headers={"Last-Event-ID": _SEEN}),
)
async def watch(request: Request, id: JobKey) -> StreamingResponse:
    """status, progress, log and end as they come; a client that was cut off sends Last-Event-ID and goes on."""
    asker = await asker_of(request)
    jobs: Jobs = request.app.state.jobs
    job = await jobs.find(parse_job_key(id), asker)
    after = number({"Last-Event-ID": request.headers.get("Last-Event-ID", "")}, "Last-Event-ID", 0)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_written(jobs, job, asker, max(0, after)), media_type="text/event-stream", headers=headers)


async def _written(jobs: Jobs, job: pb.Job, asker: Asker, after: int) -> AsyncIterator[bytes]:
    with _OPEN.track_inprogress():
        async for event in events(jobs, job, asker, after):
            if event is None:
                yield b": still here\n\n"
            else:
                head = f"event: {event.kind}\nid: {event.number}\ndata: ".encode()
                yield b"".join((head, msgspec.json.encode(event.data), b"\n\n"))
