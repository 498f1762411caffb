"""Linkis' envelope: {method, status, message, data}, for good answers and for errors."""

from __future__ import annotations

from collections.abc import Mapping

from commons.process.errors import HeadgateError
from commons.process.masking import masked
from protocol import names

Json = Mapping[str, object]

HTTP_OF_STATUS = {0: 200, 1: 400, -1: 401, 2: 412, 3: 403, 4: 206}
NOT_LOGGED_IN = "You are not logged in, please login first(您尚未登录，请先登录)!"


def ok(method: str | None, data: Json | None = None, message: str = "OK") -> dict[str, object]:
    """A good answer; `method` is the path without its version prefix, such as /api/entrance/submit."""
    return {"method": method, "status": 0, "message": message, "data": dict(data or {})}


def failed(method: str | None, message: str, data: Json | None = None, status: int = 1) -> dict[str, object]:
    """A refusal in the route's own words."""
    return {"method": method, "status": status, "message": message, "data": dict(data or {})}


def status_of_http(http: int) -> int:
    """The envelope's status for an HTTP code: those without one of their own carry 1."""
    return next((status for status, code in HTTP_OF_STATUS.items() if code == http), 1)


def error(method: str | None, fault: HeadgateError, trace_id: str, address: tuple[str, int]) -> dict[str, object]:
    """An error as Linkis writes one, with our trace id and the field at fault. Secrets in its text are masked."""
    said = masked(fault.message)
    data: dict[str, object] = {
        "errorMsg": {
            "serviceKind": names.APPLICATION,
            "level": 2,
            "port": address[1],
            "errCode": fault.code,
            "ip": address[0],
            "desc": said,
        },
        "trace_id": trace_id,
        **fault.more,
    }
    if fault.field is not None:
        data["field"] = fault.field
    message = f"error code(错误码): {fault.code}, error message(错误信息): {said.rstrip('.')}."
    return failed(method, message, data, status_of_http(fault.http_status))


def not_logged_in(path: str, message: str = NOT_LOGGED_IN) -> dict[str, object]:
    return failed(path, message, status=-1)
