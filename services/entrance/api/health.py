"""/health/*: what a load balancer and a supervisor ask."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from services.entrance.wire.shapes.users import Live, Ready

router = APIRouter(prefix="/health", tags=["health"])

_NOT_READY = {"model": Ready, "description": "It takes none, or not yet."}


@router.get("/ready", operation_id="healthReady", responses={200: {"model": Ready}, 503: _NOT_READY})
async def ready(request: Request) -> Response:
    """200 when the service takes jobs, otherwise 503."""
    up = bool(request.app.state.ready())
    return JSONResponse({"ready": up}, 200 if up else 503)


@router.get("/live", operation_id="healthLive", responses={200: {"model": Live}})
async def live() -> Response:
    """200 as long as the process answers."""
    return JSONResponse({"live": True})
