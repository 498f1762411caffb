"""Each request is counted under its route and continues the client's trace."""

from __future__ import annotations

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from commons.process import telemetry

TRACE_ID = "headgate.trace_id"
"""Where a request's scope has the id of its trace, empty without one."""

_UNMEASURED = ("/health/", "/metrics")
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_ANSWERS = telemetry.histogram(
    "http_request_duration_seconds",
    "Requests, from their arrival until the answer begins, but for /health and /metrics; route is the template.",
    ("method", "route", "code"),
)


class Measured:
    """Around all routes, without a task or a copy of a body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_UNMEASURED):
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in _METHODS else "other"
        began, code, seconds = time.perf_counter(), 0, 0.0

        async def told(message: Message) -> None:
            nonlocal code, seconds
            if message["type"] == "http.response.start":
                code, seconds = message["status"], time.perf_counter() - began
            await send(message)

        with telemetry.continued(_traceparent(scope)), telemetry.step(method, server=True) as step:
            scope[TRACE_ID] = telemetry.trace_id()
            try:
                await self._app(scope, receive, told)
            except Exception:
                if not code:
                    code, seconds = 500, time.perf_counter() - began
                raise
            finally:
                route = getattr(scope.get("route"), "path", "none")
                step.answered(method, route, code)
                if code:
                    _ANSWERS.labels(method, route, str(code)).observe(seconds)


def _traceparent(scope: Scope) -> str:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == b"traceparent"), "")
