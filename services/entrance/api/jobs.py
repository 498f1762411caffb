"""/entrance/*: submit, status, progress, log, kill."""

from __future__ import annotations

import json

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from commons.process.errors import Invalid, NotFound
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from protocol.states.job import JOB, JobStatus
from services.entrance.api.asking import asker_of
from services.entrance.api.bodies import json_object
from services.entrance.jobs import Jobs
from services.entrance.users import Asker
from services.entrance.wire import envelope, logs
from services.entrance.wire.exec_id import parse_job_key
from services.entrance.wire.jobs import exec_id_of, parse_submit, progress_info, shown_status
from services.entrance.wire.queries import number

router = APIRouter(prefix="/entrance", tags=["entrance"])

_NO_STATUS = (
    "Get job by ID error and cannot obtain the corresponding task status.(获取job时发生异常，不能获取相应的任务状态)"
)
_NO_PROGRESS = (
    "The job corresponding to the ID is empty, and the corresponding task progress cannot be obtained."
    "(ID 对应的job为空，不能获取相应的任务进度)"
)
_NO_LOG = (
    "The job you just executed has ended. This interface no longer provides a query. It is recommended that you "
    "download the log file for viewing.(您刚刚执行的job已经结束，本接口不再提供查询，建议您下载日志文件进行查看)"
)
_NO_KILL = "Get job by ID error, kill failed.(获取job时发生异常，kill失败)"
_KILLED = "Successfully killed the job(成功kill了job)"


@router.post("/submit")
async def submit(request: Request) -> dict[str, object]:
    """Submit a job; it is saved for good when the answer comes."""
    asker = await asker_of(request)
    body = await json_object(request)
    client = request.client.host if request.client else ""
    jobs: Jobs = request.app.state.jobs
    job = await jobs.submit(parse_submit(body, asker.user, client), asker)
    return envelope.ok("/api/entrance/submit", {"taskID": job.job_id, "execID": exec_id_of(job)})


@router.get("/{id}/status")
async def status(request: Request, id: str) -> Response:
    """The job's status."""
    job = await _job(request, id)
    if job is None:
        return _refused(id, "status", _NO_STATUS)
    return _good(job, id, "status", {"status": shown_status(job)})


@router.get("/{id}/progress")
async def progress(request: Request, id: str) -> Response:
    """How far the job is, from 0 to 1, and the steps of the statement that runs."""
    job = await _job(request, id)
    if job is None:
        return _refused(id, "progress", _NO_PROGRESS)
    ended = JOB.final(JobStatus(job.status))
    vertices = [] if ended else json.loads(job.metrics or "{}").get("vertices", [])
    return _good(job, id, "progress", {"progress": job.progress, "progressInfo": progress_info(vertices)})


@router.get("/{id}/log")
async def log(request: Request, id: str) -> Response:
    """Lines of the log from `fromLine`: [error, warn, info, all], or one text without `distinctLevel`."""
    job = await _job(request, id)
    if job is None:
        return _refused(id, "log", _NO_LOG)
    query = request.query_params
    start, count = logs.window(number(query, "fromLine", 0), number(query, "size", logs.DEFAULT_SIZE))
    jobs: Jobs = request.app.state.jobs
    lines = await jobs.log(job, start, count)
    distinct = query.get("distinctLevel", "true").lower() != "false"
    shown: object = logs.levels(lines) if distinct else "\n".join(lines)
    return _good(job, id, "log", {"log": shown, "fromLine": start + len(lines)})


@router.get("/{id}/kill")
async def kill(request: Request, id: str) -> Response:
    """Wish the job cancelled."""
    asker = await asker_of(request)
    job = await _job(request, id, asker)
    if job is None:
        return _refused(id, "kill", _NO_KILL)
    jobs: Jobs = request.app.state.jobs
    await jobs.kill(job, asker)
    return _good(job, id, "kill", {}, _KILLED)


async def _job(request: Request, id: str, asker: Asker | None = None) -> pb.Job | None:
    """The job, or None when it is unknown or another user's: the two look alike."""
    jobs: Jobs = request.app.state.jobs
    try:
        return await jobs.find(parse_job_key(id), asker or await asker_of(request))
    except (NotFound, Invalid):
        return None


def _good(job: pb.Job, id: str, action: str, data: dict[str, object], message: str = "OK") -> Response:
    method = f"/api/entrance/{id}/{action}"
    return JSONResponse(envelope.ok(method, {**data, "execID": exec_id_of(job)}, message))


def _refused(id: str, action: str, text: str) -> Response:
    return JSONResponse(envelope.failed(f"/api/entrance/{id}/{action}", text), 400)
