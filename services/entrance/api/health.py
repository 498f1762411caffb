"""/health/* and /metrics: what a load balancer, a supervisor and Prometheus ask."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from commons.process.telemetry import Scrape
from services.entrance.wire.shapes.health import Live, Ready

router = APIRouter(tags=["health"])

_TEXT: dict[str, object] = {"schema": {"type": "string"}}
_TEXTS: dict[str, object] = {"content": {"text/plain": _TEXT, "application/openmetrics-text": _TEXT}}
_NOT_READY = {"model": Ready, "description": "It takes none, or not yet."}


@router.get("/health/ready", operation_id="healthReady", responses={200: {"model": Ready}, 503: _NOT_READY})
async def ready(request: Request) -> Response:
    """200 when the service takes jobs, otherwise 503."""
    up = bool(request.app.state.ready())
    return JSONResponse({"ready": up}, 200 if up else 503)


@router.get("/health/live", operation_id="healthLive", responses={200: {"model": Live}})
async def live() -> Response:
    """200 as long as the process answers."""
    return JSONResponse({"live": True})


@router.get("/metrics", operation_id="metrics", response_class=Response, responses={200: _TEXTS})
async def metrics(request: Request) -> Response:
    """Metrics as Prometheus scrapes them, or as OpenMetrics for who accepts that; docs/metrics.md tells each."""
    scrape: Scrape = request.app.state.scrape
    text, content_type = await scrape.text(request.headers.get("accept", ""))
    return Response(text, headers={"content-type": content_type})
