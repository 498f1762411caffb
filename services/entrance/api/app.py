"""The REST door: routes under Linkis' prefix, with a short prefix as an alias."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter

from commons.storage import Storage
from services.entrance.api import (
    document,
    downloads,
    errors,
    events,
    files,
    health,
    history,
    jobs,
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
    jobs_: Jobs, users_: Users, engines: Engines, storage: Storage, workspaces: Workspaces, ready: Callable[[], bool]
) -> document.Door:
    """The application; `ready` says whether the service may be used."""
    app = door()
    app.state.jobs, app.state.users, app.state.storage = jobs_, users_, storage
    app.state.results, app.state.engines, app.state.workspaces = Results(storage), engines, workspaces
    app.state.ready = ready
    return app


def door() -> document.Door:
    """The application without what stands behind it: its routes and its OpenAPI document."""
    app = document.Door()
    routes = APIRouter()
    for family in (users, jobs, events, streams, operation, history, statistics, files, downloads, workspace):
        routes.include_router(family.router)
    app.include_router(routes, prefix=PREFIX)
    app.include_router(routes, prefix=ALIAS, include_in_schema=False)
    app.include_router(health.router)
    errors.install(app)
    return app
