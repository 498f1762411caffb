"""What is told of the service at work: counts of unended jobs, and that the gateway is there."""

from __future__ import annotations

from fastapi import APIRouter, Request

from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from protocol.states.job import JobStatus
from services.entrance.api.asking import asker_of
from services.entrance.api.declared import declared
from services.entrance.engines import Engines
from services.entrance.jobs import Jobs
from services.entrance.wire import envelope
from services.entrance.wire.queries import checked_name
from services.entrance.wire.shapes import history as shapes

router = APIRouter(tags=["operation"])

_METRICS = "/entrance/operation/metrics"


@router.get(f"{_METRICS}/taskinfo", **declared("taskInfo", shapes.TaskNumbers, query=shapes.TaskInfoQuery))
async def task_info(request: Request) -> dict[str, object]:
    """How many jobs wait and run, of one `user`, `creator` and `ecType` if these are given; users count their own."""
    asker = await asker_of(request)
    user, creator, engine_type = (checked_name(request.query_params, name) for name in ("user", "creator", "ecType"))
    whose = user if asker.is_admin else asker.user
    jobs: Jobs = request.app.state.jobs
    wanted = pb.JobHistoryQuery(submit_user=whose, creator=creator, engine_type=engine_type, unended=True)
    counts = await jobs.count(wanted)
    total, running = sum(counts.values()), counts.get(JobStatus.RUNNING, 0)
    data: dict[str, object] = {"taskNumber": total, "runningNumber": running, "queuedNumber": total - running}
    if creator and engine_type:
        engines: Engines = request.app.state.engines
        most = engines.tenant_running_jobs
        data |= {"creatorECTypeMaxRunningJobs": most, "limitExceeded": running >= most}
    return envelope.ok(f"/api{_METRICS}/taskinfo", data, "success")


@router.get(f"{_METRICS}/runningtask", **declared("runningTasks", shapes.RunningTasks))
async def running_task(request: Request) -> dict[str, object]:
    """How many unended jobs this instance holds; `isCompleted` when there are none."""
    await asker_of(request)
    jobs: Jobs = request.app.state.jobs
    count = await jobs.held_here()
    data = {"runningTaskNumber": count, "isCompleted": count == 0}
    return envelope.ok(f"/api{_METRICS}/runningtask", data, "success")


@router.get("/gateway/heartbeat", **declared("gatewayHeartbeat", shapes.Gateways))
async def gateway_heartbeat(request: Request) -> dict[str, object]:
    """The service answers, under the address by which the caller reached it."""
    await asker_of(request)
    data = {"gatewayList": [request.url.netloc], "isHealthy": True}
    return envelope.ok("/api/rest_j/v1/gateway/heartbeat", data, "Gateway heartbeat ok!")
