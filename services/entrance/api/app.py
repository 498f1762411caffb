"""The REST door: routes under Linkis' prefix, with a short prefix as an alias."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import JSONResponse

from commons.process.telemetry import Scrape
from commons.storage import Storage
from services.entrance.api import (
    downloads,
    errors,
    events,
    files,
    history,
    jobs,
    measuring,
    operation,
    statistics,
    streams,
    users,
    workspace,
)
from services.entrance.engines import Engines
from services.entrance.jobs import Jobs
from services.entrance.results import Results
from services.entrance.users import Users
from services.entrance.workspace import Workspaces

PREFIX, ALIAS = "/api/rest_j/v1", "/api"


def build(
    jobs_: Jobs,
    users_: Users,
    engines: Engines,
    storage: Storage,
    workspaces: Workspaces,
    scrape: Scrape,
    ready: Callable[[], bool],
) -> FastAPI:
    """The application; `ready` says whether the service may be used."""
    app = FastAPI(title="Headgate", docs_url=None, redoc_url=None)
    app.state.jobs, app.state.users, app.state.storage = jobs_, users_, storage
    app.state.results, app.state.engines, app.state.workspaces = Results(storage), engines, workspaces
    routes = APIRouter()
    for family in (users, jobs, events, streams, operation, history, statistics, files, downloads, workspace):
        routes.include_router(family.router)
    app.include_router(routes, prefix=PREFIX)
    app.include_router(routes, prefix=ALIAS, include_in_schema=False)
    errors.install(app)
    measuring.install(app, scrape)

    @app.get("/health/ready", tags=["health"])
    async def health_ready() -> Response:
        """200 when the service takes jobs, otherwise 503."""
        up = ready()
        return JSONResponse({"ready": up}, 200 if up else 503)

    @app.get("/health/live", tags=["health"])
    async def health_live() -> Response:
        """200 as long as the process answers."""
        return JSONResponse({"live": True})

    return app
