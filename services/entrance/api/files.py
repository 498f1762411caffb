"""/filesystem/*: a job's result sets and log, as files."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request

from commons.process.errors import NotFound
from commons.storage import Storage
from protocol import layout
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from services.entrance.api.asking import asker_of
from services.entrance.jobs import Jobs
from services.entrance.results import Results
from services.entrance.users import Asker
from services.entrance.wire import envelope, logs
from services.entrance.wire import results as wire
from services.entrance.wire.exec_id import ShortId
from services.entrance.wire.queries import number

router = APIRouter(prefix="/filesystem", tags=["filesystem"])


@router.get("/getDirFileTrees")
async def dir_file_trees(request: Request) -> dict[str, object]:
    """A job's result sets, sorted by number."""
    asker = await asker_of(request)
    place, address = _place(request, asker)
    results: Results = request.app.state.results
    files = []
    if place.rest in ("", layout.RESULTS):
        files = await asyncio.to_thread(results.files, _results_of(place))
    name = address.rstrip("/").rpartition("/")[2]
    return envelope.ok("/api/filesystem/getDirFileTrees", {"dirFileTrees": wire.tree(name, address.rstrip("/"), files)})


@router.get("/openFile")
async def open_file(request: Request) -> dict[str, object]:
    """A page of a result set."""
    asker = await asker_of(request)
    place, address = _place(request, asker)
    query = request.query_params
    page, size = wire.check_page(number(query, "page", 1), number(query, "pageSize", wire.DEFAULT_PAGE))
    folder, _, name = place.rest.rpartition("/")
    if folder != layout.RESULTS:
        raise wire.path_missing(address)
    results: Results = request.app.state.results
    rows = await asyncio.to_thread(results.page, _results_of(place), name, (page - 1) * size, size)
    return envelope.ok("/api/filesystem/openFile", wire.opened(rows, page, query.get("nullValue", "")))


@router.get("/openLog")
async def open_log(request: Request) -> dict[str, object]:
    """A job's log as [error, warn, info, all], only the levels that `logLevel` names; a very long one is cut."""
    asker = await asker_of(request)
    place, address = _place(request, asker)
    job = await _job_at(request, place, asker)
    if job is None or place.rest != layout.LOG:
        raise wire.path_missing(address)
    jobs: Jobs = request.app.state.jobs
    lines: list[str] = []
    size = 0
    while size < logs.LARGEST_LOG and (chunk := await jobs.log(job, len(lines), logs.LARGEST_SIZE)):
        lines += chunk
        size += sum(map(len, chunk))
    if size >= logs.LARGEST_LOG:
        lines.append(f"… the log goes on at line {len(lines)}: /entrance/{job.job_id}/log?fromLine={len(lines)}")
    four = logs.chosen(logs.levels(lines), request.query_params.get("logLevel", "all"))
    return envelope.ok("/api/filesystem/openLog", {"log": four})


def _place(request: Request, asker: Asker) -> tuple[layout.JobPath, str]:
    """The job's place a `path` names. Refuses every other path, and other users' jobs."""
    address = request.query_params.get("path", "").strip()
    if not address:
        raise wire.path_empty()
    if ".." in address.split("/"):
        raise wire.path_relative()
    storage: Storage = request.app.state.storage
    relative = storage.relative(address)
    place = layout.JobPath.parse(relative) if relative is not None else None
    if place is None or (place.user != asker.user and not asker.is_admin):
        raise wire.path_forbidden(asker.user, address)
    return place, address


async def _job_at(request: Request, place: layout.JobPath, asker: Asker) -> pb.Job | None:
    jobs: Jobs = request.app.state.jobs
    try:
        return await jobs.find(ShortId(place.short_id, ""), asker)
    except NotFound:
        return None


def _results_of(place: layout.JobPath) -> str:
    return str(layout.JobPath(place.day, place.user, place.short_id, place.attempt, layout.RESULTS))
