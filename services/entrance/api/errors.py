"""Every error is the envelope, with the HTTP code that belongs to it, a trace id, and never a stack."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from commons.process.errors import Broken, HeadgateError, Invalid, NotLoggedIn
from commons.process.ids import random_hex
from protocol import codes
from services.entrance.api.measuring import TRACE_ID
from services.entrance.wire import envelope

log = logging.getLogger(__name__)


def install(app: FastAPI) -> None:
    """Make `app` answer every error so."""
    app.add_exception_handler(HeadgateError, _known)
    app.add_exception_handler(HTTPException, _framework)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(ClientDisconnect, _nobody_listens)
    app.add_exception_handler(Exception, _unexpected)


async def _known(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HeadgateError)
    if isinstance(error, NotLoggedIn):
        return JSONResponse(envelope.not_logged_in(request.url.path, error.message), 401)
    answer = _answer(request, error)
    if isinstance(error, Broken):
        _note(request, answer, error)
    return answer


async def _framework(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    what = {404: f"there is no route {request.url.path}", 405: f"{request.method} is not for this route"}
    fault = Invalid(codes.ROUTE_UNKNOWN, what.get(error.status_code, str(error.detail)))
    return _answer(request, fault, error.status_code, dict(error.headers or {}))


async def _validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = str(first["loc"][-1])
    return _answer(request, Invalid(codes.FIELD_INVALID, f"{field}: {first['msg']}", field=field))


async def _nobody_listens(request: Request, error: Exception) -> Response:
    return Response(status_code=400)  # a body that was broken off is no fault of ours


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    fault = Broken(codes.INTERNAL, "something failed here; the service's log has more under this trace id")
    answer = _answer(request, fault)
    _note(request, answer, error)
    return answer


def _note(request: Request, answer: JSONResponse, error: Exception) -> None:
    """What the log has more under the answer's trace id."""
    log.error("%s %s failed, trace %s", request.method, request.url.path, answer.headers["x-trace-id"], exc_info=error)


def _answer(
    request: Request, fault: HeadgateError, http: int | None = None, headers: dict[str, str] | None = None
) -> JSONResponse:
    trace_id = request.scope.get(TRACE_ID) or random_hex(128)
    server = request.scope.get("server") or ("", 0)
    body = envelope.error(None, fault, trace_id, (str(server[0]), int(server[1] or 0)))
    more = {**(headers or {}), "x-trace-id": trace_id}
    if fault.retryable:
        more["Retry-After"] = str(fault.retry_seconds)
    if (http or fault.http_status) == 408:
        more["Connection"] = "close"  # the rest of the body is not waited for
    return JSONResponse(body, http or fault.http_status, more)
