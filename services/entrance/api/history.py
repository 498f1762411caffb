"""/jobhistory/*: one job, or a list, and what users note beside a job."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from services.entrance.api.asking import asker_of, job_of
from services.entrance.api.bodies import json_object
from services.entrance.api.declared import JobKey, declared
from services.entrance.jobs import Jobs
from services.entrance.users import Asker
from services.entrance.wire import envelope
from services.entrance.wire.jobs import extra_info, observe_info, task
from services.entrance.wire.queries import history_query, ids_query, undone_query
from services.entrance.wire.shapes import history as shapes
from services.entrance.wire.shapes.envelopes import Nothing

router = APIRouter(prefix="/jobhistory", tags=["jobhistory"])

_NONE = (
    "The corresponding job was not found, or there may be no permission to view the job"
    "(没有找到对应的job，也可能是没有查看该job的权限)"
)
_TIP = (
    "The request interface %s is abnormal. You can try to troubleshoot common problems in the knowledge base document"
)

_PATHS = {
    "openLog": {"operationId": "openLog", "parameters": {"path": "$response.body#/data/task/logPath"}},
    "dirFileTrees": {"operationId": "dirFileTrees", "parameters": {"path": "$response.body#/data/task/resultLocation"}},
}


@router.get("/list", **declared("listTasks", shapes.TaskPage, query=shapes.ListQuery))
async def jobs_list(request: Request) -> dict[str, object]:
    """The caller's jobs, newest first; `totalPage` counts jobs. Administrators with isAdminView see all users'."""
    asker = await asker_of(request)
    jobs: Jobs = request.app.state.jobs
    page = await jobs.query(history_query(request.query_params, asker.user, all_users=_sees_all(request, asker)))
    return envelope.ok("/api/jobhistory/list", {"totalPage": page.total, "tasks": _tasks(page)})


@router.get("/listundonetasks", **declared("listUndoneTasks", shapes.TaskPage, query=shapes.UndoneQuery))
async def undone(request: Request) -> dict[str, object]:
    """As list, of jobs that have not ended, from `startTaskID` on."""
    asker = await asker_of(request)
    jobs: Jobs = request.app.state.jobs
    page = await jobs.query(undone_query(request.query_params, asker.user, all_users=_sees_all(request, asker)))
    return envelope.ok("/api/jobhistory/listundonetasks", {"totalPage": page.total, "tasks": _tasks(page)})


@router.get("/listundone", **declared("countUndoneTasks", shapes.TaskTotal, query=shapes.UndoneQuery))
async def undone_count(request: Request) -> dict[str, object]:
    """How many jobs have not ended."""
    asker = await asker_of(request)
    jobs: Jobs = request.app.state.jobs
    counts = await jobs.count(undone_query(request.query_params, asker.user, all_users=_sees_all(request, asker)))
    return envelope.ok("/api/jobhistory/listundone", {"totalPage": sum(counts.values())})


@router.get("/list-taskids", **declared("listTasksById", shapes.TasksById, query=shapes.IdsQuery))
async def by_ids(request: Request) -> dict[str, object]:
    """The jobs that `taskID` names, those that the caller may see; newest first."""
    asker = await asker_of(request)
    jobs: Jobs = request.app.state.jobs
    page = await jobs.query(ids_query(request.query_params, asker.user, all_users=asker.is_admin))
    return envelope.ok("/api/jobhistory/list-taskids", {"jobHistoryList": _tasks(page)})


@router.get("/listDurationTop", **declared("listLongestTasks", shapes.TaskList, query=shapes.CountQuery))
async def longest(request: Request) -> dict[str, object]:
    """The jobs that took longest. Administrators see all users', or those of `proxyUser`."""
    asker = await asker_of(request)
    jobs: Jobs = request.app.state.jobs
    wanted = history_query(request.query_params, asker.user, all_users=asker.is_admin)
    wanted.longest_first = True
    return envelope.ok("/api/jobhistory/listDurationTop", {"tasks": _tasks(await jobs.query(wanted))})


@router.get("/governanceStationAdmin", **declared("rights", shapes.Rights))
async def administrator(request: Request) -> dict[str, object]:
    """What the caller may administer."""
    asker = await asker_of(request)
    rights = dict.fromkeys(("admin", "historyAdmin", "deptAdmin"), asker.is_admin)
    return envelope.ok("/api/jobhistory/governanceStationAdmin", {**rights, "errorMsgTip": _TIP})


@router.get("/job-extra-info", **declared("extraInfo", shapes.ExtraInfo, query=shapes.ExtraInfoQuery))
async def job_extra_info(request: Request) -> Response:
    """What is known of the job `jobId` beside its row: metrics, its code, how long it took."""
    method = "/api/jobhistory/job-extra-info"
    job = await job_of(request, request.query_params.get("jobId", ""))
    if job is None:
        return JSONResponse(envelope.failed(method, _NONE), 400)
    return JSONResponse(envelope.ok(method, {"metricsMap": extra_info(job)}))


@router.post("/setting/addObserveInfo", **declared("addObserveInfo", Nothing, body=shapes.Observe))
async def add_observe_info(request: Request) -> Response:
    """Keep with the job `taskId` whom to notify of it: {taskId, receiver, extra: {title, detail}, monitorLevel, …}."""
    asker = await asker_of(request)
    key, info = observe_info(await json_object(request))
    return await _observed(request, "addObserveInfo", await job_of(request, key, asker), info)


@router.get("/setting/deleteObserveInfo", **declared("deleteObserveInfo", Nothing, query=shapes.ObserveQuery))
async def delete_observe_info(request: Request) -> Response:
    """Forget whom to notify of the job `taskId`."""
    job = await job_of(request, request.query_params.get("taskId", ""))
    return await _observed(request, "deleteObserveInfo", job, "")


@router.get("/{id}/get", **declared("getTask", shapes.OneTask, links=_PATHS))
async def get(request: Request, id: JobKey) -> Response:
    """One job."""
    method = f"/api/jobhistory/{id}/get"
    job = await job_of(request, id)
    if job is None:
        return JSONResponse(envelope.failed(method, _NONE), 400)
    return JSONResponse(envelope.ok(method, {"task": task(job)}))


async def _observed(request: Request, action: str, job: pb.Job | None, info: str) -> Response:
    method = f"/api/jobhistory/setting/{action}"
    if job is None:
        return JSONResponse(envelope.failed(method, _NONE), 400)
    jobs: Jobs = request.app.state.jobs
    await jobs.observe(job, info)
    return JSONResponse(envelope.ok(method))


def _sees_all(request: Request, asker: Asker) -> bool:
    return asker.is_admin and request.query_params.get("isAdminView", "").lower() == "true"


def _tasks(page: pb.JobHistoryPage) -> list[dict[str, object]]:
    return [task(job, with_code=True) for job in page.jobs]
