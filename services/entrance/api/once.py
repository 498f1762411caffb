"""/linkisManager: once jobs, by the engines that Linkis creates for them."""

from __future__ import annotations

from collections.abc import Awaitable

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from commons.process.errors import Broken, HeadgateError
from commons.process.masking import masked
from services.entrance import engine_logs
from services.entrance.api.asking import address_of, asker_of, job_of
from services.entrance.api.bodies import json_object
from services.entrance.api.declared import declared
from services.entrance.api.jobs import submitting
from services.entrance.idempotency import HEADER
from services.entrance.jobs import Jobs
from services.entrance.once import OnceJobs
from services.entrance.operators import Operators
from services.entrance.wire import envelope
from services.entrance.wire import once as wire
from services.entrance.wire.jobs import exec_id_of
from services.entrance.wire.once import Named
from services.entrance.wire.shapes import once as shapes
from services.entrance.wire.shapes.envelopes import Nothing

router = APIRouter(prefix="/linkisManager", tags=["linkisManager"])

_PATH = "/api/linkisManager"
_SAID = {"createEngineConn": "create engineConn succeed.", "askEngineConn": "create engineConn ended."}


@router.post("/askEngineConn", **submitting("askEngineConn", shapes.Create, shapes.Created))
@router.post("/createEngineConn", **submitting("createEngineConn", shapes.Create, shapes.Created))
async def create(request: Request) -> dict[str, object]:
    """Submit a once job, which gets an engine of its own. It is saved for good when the answer comes, and then waits
    for its turn as any job does: `timeOut`, `ignoreTimeout`, `createService` and `description` are passed over."""
    asker, action = await asker_of(request), request.url.path.rpartition("/")[2]
    once: OnceJobs = request.app.state.once
    body, key = await json_object(request), request.headers.get(HEADER)
    job = await once.create(body, asker, address_of(request), key)
    data = {"engine": wire.created(job), "taskID": job.job_id, "execID": exec_id_of(job)}
    return envelope.ok(f"{_PATH}/{action}", data, _SAID[action])


@router.post("/getEngineConn", **declared("getEngineConn", shapes.Looked, body=shapes.Engine))
async def look(request: Request) -> Response:
    """The engine of a job, from before it starts until long after its end: as long as the history has the job."""
    asker, engine = await asker_of(request), Named.of(await json_object(request))
    job = await job_of(request, engine.key, asker)
    if job is None:
        return _unknown("getEngineConn", engine)
    data = {"engine": wire.node(job), "ecMetrics": wire.metrics(job)}
    return JSONResponse(envelope.ok(f"{_PATH}/getEngineConn", data))


@router.post("/killEngineConn", **declared("killEngineConn", Nothing, body=shapes.Engine))
async def kill(request: Request) -> Response:
    """Wish the engine's job cancelled, which ends both. Harmless when it has ended."""
    asker, engine = await asker_of(request), Named.of(await json_object(request))
    job = await job_of(request, engine.key, asker)
    if job is None:
        return _unknown("killEngineConn", engine)
    jobs: Jobs = request.app.state.jobs
    await jobs.kill(job, asker)
    return JSONResponse(envelope.ok(f"{_PATH}/killEngineConn", {}, "Kill engineConn succeed."))


@router.post(
    "/executeEngineConnOperation", **declared("executeEngineConnOperation", shapes.Operated, body=shapes.Operation)
)
async def operate(request: Request) -> dict[str, object]:
    """Ask the engine's job: status, list, doSavepoint, kill, engineConnProgress, engineConnMetrics,
    engineConnDiagnosis, engineConnYarnApplication. What goes wrong is told in the answer, as `isError`."""
    asker, body = await asker_of(request), await json_object(request)
    engine, parameters = Named.of(body), wire.mapping(body, "parameters")
    operators: Operators = request.app.state.operators
    job = await job_of(request, engine.key, asker)
    done = _gone(engine) if job is None else await _done(operators.operate(job, parameters, asker))
    return envelope.ok(f"{_PATH}/executeEngineConnOperation", done)


@router.post("/executeECMOperationByEC", **declared("executeECMOperationByEC", shapes.Operated, body=shapes.Operation))
@router.post("/executeECMOperation", **declared("executeECMOperation", shapes.Operated, body=shapes.NodeOperation))
async def operate_node(request: Request) -> dict[str, object]:
    """Read the log of an engine's job: engineConnLog. What goes wrong is told in the answer, as `isError`."""
    asker, body = await asker_of(request), await json_object(request)
    action, parameters = request.url.path.rpartition("/")[2], wire.mapping(body, "parameters")
    engine = Named.of_log(parameters)
    if not engine.key and action.endswith("ByEC"):
        engine = Named.of(body)
    jobs: Jobs = request.app.state.jobs
    job = await job_of(request, engine.key, asker)
    done = _gone(engine) if job is None else await _done(engine_logs.read(jobs, job, parameters))
    return envelope.ok(f"{_PATH}/{action}", done)


def _unknown(action: str, engine: Named) -> Response:
    return JSONResponse(envelope.failed(f"{_PATH}/{action}", f"Instance does not exist {engine}"), 400)


def _gone(engine: Named) -> dict[str, object]:
    return wire.operated({}, f"Ec : {engine} not found.")


async def _done(operation: Awaitable[dict[str, object]]) -> dict[str, object]:
    """What it gives, or what went wrong with it: clients look for that within the answer."""
    try:
        return wire.operated(await operation)
    except Broken:
        raise
    except HeadgateError as fault:
        return wire.operated({}, f"errCode: {fault.code} ,desc: {masked(fault.message)}")
