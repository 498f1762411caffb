"""Which place the path of a request names: one of a job, or one in a user's workspace; no other is told of."""

from __future__ import annotations

from fastapi import Request

from commons.process.errors import NotFound
from commons.storage import Storage
from protocol import layout
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from services.entrance.jobs import Jobs
from services.entrance.users import Asker
from services.entrance.wire import results as wire
from services.entrance.wire.exec_id import ShortId
from services.entrance.workspace import Place, Workspaces


def any_place(request: Request, asker: Asker, path: object) -> layout.JobPath | Place:
    """The place `path` names. Refuses every other path, and other users' places unless an administrator asks."""
    address = path.strip() if isinstance(path, str) else ""
    if not address:
        raise wire.path_empty()
    if ".." in address.split("/"):
        raise wire.path_relative()
    storage: Storage = request.app.state.storage
    workspaces: Workspaces = request.app.state.workspaces
    relative = storage.relative(address)
    place = layout.JobPath.parse(relative) if relative is not None else workspaces.place(address)
    if place is None or (place.user != asker.user and not asker.is_admin):
        raise wire.path_forbidden(asker.user, address)
    return place


def job_place(request: Request, asker: Asker) -> layout.JobPath:
    """The job's place that the query's `path` names; a workspace holds no job's."""
    path = request.query_params.get("path", "")
    place = any_place(request, asker, path)
    if isinstance(place, Place):
        raise wire.path_missing(path)
    return place


def work_place(request: Request, asker: Asker, path: object) -> Place:
    """The workspace's place that `path` names, to write at: never a job's. The caller's own workspace is made first."""
    place = any_place(request, asker, path)
    if not isinstance(place, Place):
        raise wire.path_forbidden(asker.user, str(path))
    if place.user == asker.user:
        workspaces: Workspaces = request.app.state.workspaces
        workspaces.root(asker.user)
    return place


async def job_at(request: Request, place: layout.JobPath, asker: Asker) -> pb.Job | None:
    """The job whose place it is, or None when it is unknown."""
    jobs: Jobs = request.app.state.jobs
    try:
        return await jobs.find(ShortId(place.short_id, ""), asker)
    except NotFound:
        return None


async def results_at(request: Request, place: layout.JobPath, asker: Asker) -> str:
    """The job's results folder, relative to the storage root. Raises NotFound with the reason when it was removed."""
    job = await job_at(request, place, asker)
    if job is not None and job.HasField("removed"):
        raise wire.path_missing(request.query_params.get("path", ""), job.removed.why)
    return str(layout.JobPath(place.day, place.user, place.short_id, place.attempt, layout.RESULTS))


def result_set_name(place: layout.JobPath) -> str:
    """The file name of the result set at a place; empty when it is no result set's."""
    folder, _, name = place.rest.rpartition("/")
    return name if folder == layout.RESULTS else ""
