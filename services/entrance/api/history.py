"""/jobhistory/*: one job, or a list."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from commons.process.errors import Invalid, NotFound
from services.entrance.api.asking import asker_of
from services.entrance.jobs import Jobs
from services.entrance.wire import envelope
from services.entrance.wire.exec_id import parse_job_key
from services.entrance.wire.jobs import task
from services.entrance.wire.queries import history_query

router = APIRouter(prefix="/jobhistory", tags=["jobhistory"])

_NONE = (
    "The corresponding job was not found, or there may be no permission to view the job"
    "(没有找到对应的job，也可能是没有查看该job的权限)"
)


@router.get("/list")
async def jobs_list(request: Request) -> dict[str, object]:
    """The caller's jobs, newest first; `totalPage` counts jobs. Administrators with isAdminView see all users'."""
    asker = await asker_of(request)
    all_users = asker.is_admin and request.query_params.get("isAdminView", "").lower() == "true"
    jobs: Jobs = request.app.state.jobs
    page = await jobs.query(history_query(request.query_params, asker.user, all_users=all_users))
    data = {"totalPage": page.total, "tasks": [task(job, with_code=True) for job in page.jobs]}
    return envelope.ok("/api/jobhistory/list", data)


@router.get("/{id}/get")
async def get(request: Request, id: str) -> Response:
    """One job."""
    asker = await asker_of(request)
    jobs: Jobs = request.app.state.jobs
    method = f"/api/jobhistory/{id}/get"
    try:
        job = await jobs.find(parse_job_key(id), asker)
    except (NotFound, Invalid):
        return JSONResponse(envelope.failed(method, _NONE), 400)
    return JSONResponse(envelope.ok(method, {"task": task(job)}))
