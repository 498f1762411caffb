"""/jobhistory/jobstatistics/*: how many jobs and engines there were between two dates."""

from __future__ import annotations

from fastapi import APIRouter, Request

from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from protocol.manager.v1 import manager_pb2 as manager
from protocol.states.job import JobStatus
from services.entrance.api.asking import asker_of
from services.entrance.api.declared import declared
from services.entrance.engines import Engines
from services.entrance.jobs import Jobs
from services.entrance.wire import envelope
from services.entrance.wire.queries import history_query
from services.entrance.wire.shapes import history as shapes

router = APIRouter(prefix="/jobhistory/jobstatistics", tags=["jobhistory"])


@router.get("/taskCount", **declared("taskCount", shapes.TaskCounts, query=shapes.CountQuery))
async def task_count(request: Request) -> dict[str, object]:
    """Jobs by how they ended; Timeout counts as cancelled. Administrators count all users', or those of `proxyUser`."""
    wanted = await _wanted(request)
    jobs: Jobs = request.app.state.jobs
    counts = await jobs.count(wanted)
    data = {
        "sumCount": sum(counts.values()),
        "succeedCount": counts.get(JobStatus.SUCCEED, 0),
        "failedCount": counts.get(JobStatus.FAILED, 0),
        "cancelledCount": counts.get(JobStatus.CANCELLED, 0) + counts.get(JobStatus.TIMEOUT, 0),
    }
    return envelope.ok("/api/jobhistory/jobstatistics/taskCount", data)


@router.get("/engineCount", **declared("engineCount", shapes.EngineCounts, query=shapes.CountQuery))
async def engine_count(request: Request) -> dict[str, object]:
    """Engines by what became of them: ended as wished, ended by themselves, and shutting down."""
    wanted = await _wanted(request)
    engines: Engines = request.app.state.engines
    counts = await engines.count(
        manager.EngineCountQuery(
            user=wanted.submit_user, creator=wanted.creator,
            created_from_ms=wanted.created_from_ms, created_to_ms=wanted.created_to_ms,
        )
    )  # fmt: skip
    data = {
        "countEngine": counts.total,
        "countEngineSucceed": counts.stopped,
        "countEngineFailed": counts.failed,
        "countEngineShutting": counts.stopping,
    }
    return envelope.ok("/api/jobhistory/jobstatistics/engineCount", data)


async def _wanted(request: Request) -> pb.JobHistoryQuery:
    asker = await asker_of(request)
    return history_query(request.query_params, asker.user, all_users=asker.is_admin)
