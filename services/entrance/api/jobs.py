"""/entrance/*: submit, status, progress, log, kill, and their other names."""

from __future__ import annotations

from types import UnionType

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from commons.process.errors import Invalid
from protocol import codes
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from protocol.states.job import JOB, JobStatus
from services.entrance import events
from services.entrance.api.asking import address_of, asker_of, job_of
from services.entrance.api.bodies import json_object
from services.entrance.api.declared import Declared, JobKey, declared, job_links
from services.entrance.idempotency import HEADER, LONGEST_KEY
from services.entrance.jobs import Jobs
from services.entrance.users import Asker
from services.entrance.wire import envelope, logs
from services.entrance.wire.jobs import exec_id_of, parse_submit, shown_status
from services.entrance.wire.queries import number
from services.entrance.wire.shapes import jobs as shapes

router = APIRouter(prefix="/entrance", tags=["entrance"])

LONGEST_WAIT_SECONDS = 60

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
_NO_PAUSE = "Get job by ID error, pause failed.(获取job时发生异常，pause失败)"
_KILLED = "Successfully killed the job(成功kill了job)"
_PAUSED = "success to pause job (成功pause了job)"
_NO_LISTS = "Request parameter error, please use array(请求参数错误，请使用数组)"
_OTHER_LENGTH = (
    "The length of the ID list does not match the length of the TASKID list(id列表的长度与taskId列表的长度不一致)"
)
MOST_KILLS = 1000

_KEY: dict[str, object] = {
    "type": "string",
    "maxLength": LONGEST_KEY,
    "description": "The same key of a user leads to the same job for a day.",
}


def submitting(name: str, body: type[BaseModel] | UnionType, answer: type[BaseModel]) -> Declared:
    """What is declared of a route that submits a job."""
    also = {
        403: "The kind of engine is for administrators only.",
        409: "The Idempotency-Key was used for another submit.",
        429: "The tenant has as many jobs waiting as it may; try again later.",
    }
    return declared(name, answer, body=body, headers={HEADER: _KEY}, also=also, links=job_links())


@router.post("/execute", **submitting("execute", shapes.Submit | shapes.Execute, shapes.Submitted))
@router.post("/submit", **submitting("submit", shapes.Submit | shapes.Execute, shapes.Submitted))
async def submit(request: Request) -> dict[str, object]:
    """Submit a job; it is saved for good when the answer comes. Both routes take the new body and the older one."""
    asker = await asker_of(request)
    body = await json_object(request)
    jobs: Jobs = request.app.state.jobs
    key = request.headers.get(HEADER)
    job = await jobs.submit(parse_submit(body, asker.user, address_of(request)), asker, key)
    action = request.url.path.rpartition("/")[2]
    return envelope.ok(f"/api/entrance/{action}", {"taskID": job.job_id, "execID": exec_id_of(job)})


@router.get("/{id}/status", **declared("jobStatus", shapes.Status, query=shapes.StatusQuery))
async def status(request: Request, id: JobKey) -> Response:
    """The job's status; with `wait` (seconds, at most 60) once it changes, or then."""
    asker, seconds = await asker_of(request), number(request.query_params, "wait", 0, LONGEST_WAIT_SECONDS)
    job = await job_of(request, id, asker)
    if job is None:
        return _refused(id, "status", _NO_STATUS)
    if seconds > 0:
        jobs: Jobs = request.app.state.jobs
        job = await jobs.wait(job, asker, seconds)
    return _good(job, id, "status", {"status": shown_status(job)})


@router.get("/{id}/progressWithResource", **declared("jobProgressWithResource", shapes.ProgressWithResource))
@router.get("/{id}/progress", **declared("jobProgress", shapes.Progress))
async def progress(request: Request, id: JobKey) -> Response:
    """How far the job is, from 0 to 1, and the steps of the statement that runs; there is no YARN to have resources."""
    action = request.url.path.rpartition("/")[2]
    job = await job_of(request, id)
    if job is None:
        return _refused(id, action, _NO_PROGRESS)
    data = events.progress(job)
    if action == "progressWithResource" and not JOB.final(JobStatus(job.status)):
        data = {"yarnResource": None, **data}
    return _good(job, id, action, data)


@router.get("/{id}/log", **declared("jobLog", shapes.Log, query=shapes.LogQuery))
async def log(request: Request, id: JobKey) -> Response:
    """Lines of the log from `fromLine`: [error, warn, info, all], or one text without `distinctLevel`."""
    job = await job_of(request, id)
    if job is None:
        return _refused(id, "log", _NO_LOG)
    query = request.query_params
    start, count = logs.window(number(query, "fromLine", 0), number(query, "size", logs.DEFAULT_SIZE))
    jobs: Jobs = request.app.state.jobs
    lines = await jobs.log(job, start, count)
    distinct = query.get("distinctLevel", "true").lower() != "false"
    shown: object = logs.levels(lines) if distinct else "\n".join(lines)
    return _good(job, id, "log", {"log": shown, "fromLine": start + len(lines)})


@router.get("/{id}/kill", **declared("jobKill", shapes.Acted))
async def kill(request: Request, id: JobKey) -> Response:
    """Wish the job cancelled."""
    asker = await asker_of(request)
    job = await job_of(request, id, asker)
    if job is None:
        return _refused(id, "kill", _NO_KILL)
    jobs: Jobs = request.app.state.jobs
    await jobs.kill(job, asker)
    return _good(job, id, "kill", {}, _KILLED)


@router.post("/{id}/killJobs", **declared("jobKillJobs", shapes.KillMessages, body=shapes.KillJobs))
async def kill_jobs(request: Request, id: JobKey) -> Response:
    """Wish the jobs of `idList` cancelled, or where one is unknown the job in its place in `taskIDList`."""
    asker = await asker_of(request)
    body = await json_object(request)
    ids, task_ids = body.get("idList"), body.get("taskIDList")
    if not isinstance(ids, list) or not isinstance(task_ids, list):
        return _refused(id, "killJobs", _NO_LISTS)
    if len(ids) != len(task_ids):
        return _refused(id, "killJobs", _OTHER_LENGTH)
    if len(ids) > MOST_KILLS:
        raise Invalid(codes.REQUEST_INVALID, f"at most {MOST_KILLS} jobs are killed at once", field="idList")
    answers = [await _kill_one(request, keys, asker) for keys in zip(ids, task_ids, strict=True)]
    return JSONResponse(envelope.ok(f"/api/entrance/{id}/killJobs", {"messages": answers}, "success"))


async def _kill_one(request: Request, keys: tuple[object, object], asker: Asker) -> dict[str, object]:
    method = f"/api/entrance/{keys[0]}/kill"
    jobs: Jobs = request.app.state.jobs
    for key in keys:
        job = await job_of(request, str(key), asker)
        if job is not None:
            await jobs.kill(job, asker)
            return envelope.ok(method, {"execID": exec_id_of(job)}, _KILLED)
    return envelope.failed(method, _NO_KILL)


@router.get("/{id}/pause", **declared("jobPause", shapes.Acted))
async def pause(request: Request, id: JobKey) -> Response:
    """Does nothing, as in Linkis: clients call it."""
    job = await job_of(request, id)
    return _refused(id, "pause", _NO_PAUSE) if job is None else _good(job, id, "pause", {}, _PAUSED)


def _good(job: pb.Job, id: str, action: str, data: dict[str, object], message: str = "OK") -> Response:
    method = f"/api/entrance/{id}/{action}"
    return JSONResponse(envelope.ok(method, {**data, "execID": exec_id_of(job)}, message))


def _refused(id: str, action: str, text: str) -> Response:
    return JSONResponse(envelope.failed(f"/api/entrance/{id}/{action}", text), 400)
