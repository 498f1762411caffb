"""/filesystem/*: a job's result sets and log as files, and the files of a workspace, to read."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request

from commons.process.errors import Invalid, NotFound
from commons.storage import Storage
from protocol import codes, layout
from services.entrance.api.asking import asker_of
from services.entrance.api.declared import declared
from services.entrance.api.places import any_place, job_at, job_place, result_set_name, results_of
from services.entrance.jobs import Jobs
from services.entrance.results import Results
from services.entrance.users import Asker
from services.entrance.wire import envelope, logs
from services.entrance.wire import results as wire
from services.entrance.wire.queries import number
from services.entrance.wire.shapes import files as shapes
from services.entrance.workspace import Place, Workspaces

router = APIRouter(prefix="/filesystem", tags=["filesystem"])

LARGEST_TEXT = 30 * 1024 * 1024


@router.get("/getDirFileTrees", **declared("dirFileTrees", shapes.FileTrees, query=shapes.PathQuery))
async def dir_file_trees(request: Request) -> dict[str, object]:
    """A job's result sets, sorted by number; or what a folder of the workspace holds."""
    asker = await asker_of(request)
    path = request.query_params.get("path", "")
    place = any_place(request, asker, path)
    results: Results = request.app.state.results
    workspaces: Workspaces = request.app.state.workspaces
    entries = []
    if isinstance(place, Place):
        entries = await asyncio.to_thread(workspaces.list, place)
    elif place.rest in ("", layout.RESULTS):
        entries = await asyncio.to_thread(results.files, results_of(place))
    return envelope.ok("/api/filesystem/getDirFileTrees", {"dirFileTrees": wire.tree(path.strip(), entries)})


@router.get("/openFile", **declared("openFile", shapes.Opened, query=shapes.OpenQuery))
async def open_file(request: Request) -> dict[str, object]:
    """A page of a result set, or a whole text of the workspace."""
    asker = await asker_of(request)
    query = request.query_params
    place = any_place(request, asker, query.get("path", ""))
    page, size = wire.check_page(number(query, "page", 1), number(query, "pageSize", wire.DEFAULT_PAGE))
    narrowed = wire.narrowing(query)
    if isinstance(place, Place):
        data = wire.opened_script(await asyncio.to_thread(_text, request, place))
    else:
        name = result_set_name(place)
        if not name:
            raise wire.path_missing(query.get("path", ""))
        results: Results = request.app.state.results
        rows = await asyncio.to_thread(results.page, results_of(place), name, (page - 1) * size, size)
        data = wire.opened(rows, page, wire.null_text(query), narrowed)
    return envelope.ok("/api/filesystem/openFile", data)


@router.get("/openLog", **declared("openLog", shapes.FourLogs, query=shapes.LogQuery))
async def open_log(request: Request) -> dict[str, object]:
    """A job's log as [error, warn, info, all], only the levels that `logLevel` names; a very long one is cut."""
    asker = await asker_of(request)
    place = job_place(request, asker)
    job = await job_at(request, place, asker)
    if job is None or place.rest != layout.LOG:
        raise wire.path_missing(request.query_params.get("path", ""))
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


@router.get("/isExist", **declared("isExist", shapes.Exists, query=shapes.PathQuery))
async def is_exist(request: Request) -> dict[str, object]:
    """Whether the path leads to a result set, a log, or something in the workspace."""
    asker = await asker_of(request)
    place = any_place(request, asker, request.query_params.get("path", ""))
    return envelope.ok("/api/filesystem/isExist", {"isExist": await _exists(request, asker, place)})


@router.get("/fileInfo", **declared("fileInfo", shapes.FileInfo, query=shapes.PathQuery))
async def file_info(request: Request) -> dict[str, object]:
    """How many columns and rows a result set has; a text of the workspace has lines in one column."""
    asker = await asker_of(request)
    path = request.query_params.get("path", "")
    place = any_place(request, asker, path)
    if isinstance(place, Place):
        columns, rows = 1, len((await asyncio.to_thread(_text, request, place)).splitlines())
    else:
        results: Results = request.app.state.results
        columns, rows = await asyncio.to_thread(results.size, results_of(place), result_set_name(place))
    return envelope.ok("/api/filesystem/fileInfo", {"path": path, "colNumber": columns, "rowNumber": rows})


async def _exists(request: Request, asker: Asker, place: layout.JobPath | Place) -> bool:
    workspaces: Workspaces = request.app.state.workspaces
    results: Results = request.app.state.results
    if isinstance(place, Place):
        return bool(await asyncio.to_thread(workspaces.kind, place))
    if place.rest in ("", layout.LOG, layout.RESULTS):
        storage: Storage = request.app.state.storage
        job = await job_at(request, place, asker)
        newest = layout.JobPath.parse(storage.relative(job.log_path) or "") if job is not None else None
        return newest is not None and newest.day == place.day and 1 <= place.attempt <= newest.attempt
    try:
        await asyncio.to_thread(results.size, results_of(place), result_set_name(place))
    except NotFound:
        return False
    return True


def _text(request: Request, place: Place) -> str:
    workspaces: Workspaces = request.app.state.workspaces
    content = workspaces.read(place, LARGEST_TEXT)
    if content is None:
        raise Invalid(codes.FILE_TOO_LARGE, f"the file is over {LARGEST_TEXT} bytes; download it", field="path")
    return content.decode("utf-8", "replace")
