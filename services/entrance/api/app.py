"""The REST door: routes under Linkis' prefix, with a short prefix as an alias."""

from __future__ import annotations

from collections.abc import Callable

from commons.process.telemetry import Scrape
from commons.storage import Storage
from services.entrance.api import (
    artifacts,
    document,
    downloads,
    errors,
    events,
    files,
    health,
    history,
    jobs,
    measuring,
    once,
    operation,
    savepoints,
    statistics,
    streams,
    users,
    workspace,
)
from services.entrance.artifacts import Artifacts
from services.entrance.engines import Engines
from services.entrance.jobs import Jobs
from services.entrance.once import OnceJobs
from services.entrance.operators import Operators
from services.entrance.results import Results
from services.entrance.savepoints import Savepoints
from services.entrance.users import Users
from services.entrance.workspace import Workspaces

PREFIX, ALIAS = "/api/rest_j/v1", "/api"


def build(
    jobs_: Jobs,
    artifacts_: Artifacts,
    users_: Users,
    engines: Engines,
    savepoints_: Savepoints,
    storage: Storage,
    workspaces: Workspaces,
    scrape: Scrape,
    ready: Callable[[], bool],
) -> document.Door:
    """The application; `ready` says whether the service may be used."""
    app = door()
    app.state.jobs, app.state.users, app.state.storage = jobs_, users_, storage
    app.state.results, app.state.engines, app.state.workspaces = Results(storage), engines, workspaces
    app.state.savepoints, app.state.artifacts = savepoints_, artifacts_
    app.state.once, app.state.operators = OnceJobs(jobs_, artifacts_), Operators(jobs_, savepoints_)
    app.state.ready, app.state.scrape = ready, scrape
    app.add_middleware(measuring.Measured)
    return app


def door() -> document.Door:
    """The application without what stands behind it: its routes and its OpenAPI document."""
    app = document.Door()
    # they are tried in this order, so what is asked for most comes first
    families = (
        jobs, events, streams, history, files, users, operation, savepoints, statistics, downloads, workspace,
        artifacts, once,
    )  # fmt: skip
    for family in families:
        app.include_router(family.router, prefix=PREFIX)
    for family in families:
        app.include_router(family.router, prefix=ALIAS, include_in_schema=False)
    app.include_router(health.router)
    errors.install(app)
    return app
