"""/entrance/{id}: what else can be asked of a job that runs, and the savepoints that come of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request

from commons.process.errors import Conflict
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from services.entrance.api.asking import asker_of
from services.entrance.api.declared import Declared, JobKey, declared
from services.entrance.jobs import Jobs
from services.entrance.savepoints import Savepoints
from services.entrance.wire import envelope
from services.entrance.wire import savepoints as wire
from services.entrance.wire.exec_id import parse_job_key
from services.entrance.wire.jobs import exec_id_of
from services.entrance.wire.shapes import jobs as job_shapes
from services.entrance.wire.shapes import savepoints as shapes

router = APIRouter(prefix="/entrance", tags=["entrance"])

_NOT_NOW = {Conflict.http_status: "The job is in no state for it; or another job goes on from the savepoint."}
_Savepoint = Annotated[int, Path(description="The savepoint's id.")]


def _operating(name: str) -> Declared:
    return declared(name, shapes.Made, also=_NOT_NOW)


@router.post("/{id}/savepoint", **_operating("makeSavepoint"))
@router.post("/{id}/suspend", **_operating("suspendJob"))
async def make(request: Request, id: JobKey) -> dict[str, object]:
    """Keep the job's state: the job goes on (`savepoint`), or ends as Succeed (`suspend`). Answers when it is kept.

    A new job goes on from it with the runtime configuration headgate.resume = <task id>, or <task id>/<savepoint id>.
    """
    action = request.url.path.rpartition("/")[2]
    job, savepoints = await _asked(request, id)
    made = await savepoints.make(job, action)
    return envelope.ok(f"/api/entrance/{id}/{action}", {"execID": exec_id_of(job), "savepoint": wire.savepoint(made)})


@router.get("/{id}/savepoints", **declared("jobSavepoints", shapes.Listed))
async def savepoints(request: Request, id: JobKey) -> dict[str, object]:
    """The job's savepoints, the oldest first."""
    job, known = await _asked(request, id)
    listed = [wire.savepoint(each) for each in await known.of(job)]
    return envelope.ok(f"/api/entrance/{id}/savepoints", {"execID": exec_id_of(job), "savepoints": listed})


@router.delete("/{id}/savepoints/{savepoint}", **declared("disposeSavepoint", job_shapes.Acted, also=_NOT_NOW))
async def dispose(request: Request, id: JobKey, savepoint: _Savepoint) -> dict[str, object]:
    """Remove a savepoint for good."""
    job, savepoints = await _asked(request, id)
    await savepoints.dispose(job, savepoint)
    return envelope.ok(f"/api/entrance/{id}/savepoints/{savepoint}", {"execID": exec_id_of(job)})


@router.get("/{id}/diagnosis", **declared("jobDiagnosis", shapes.Diagnosis, also=_NOT_NOW))
async def diagnosis(request: Request, id: JobKey) -> dict[str, object]:
    """What the engine knows of the running job's health, text by text."""
    job, savepoints = await _asked(request, id)
    said = await savepoints.operate(job, "diagnosis")
    return envelope.ok(f"/api/entrance/{id}/diagnosis", {"execID": exec_id_of(job), "diagnosis": said})


async def _asked(request: Request, id: str) -> tuple[pb.Job, Savepoints]:
    jobs: Jobs = request.app.state.jobs
    job = await jobs.find(parse_job_key(id), await asker_of(request))
    return job, request.app.state.savepoints
