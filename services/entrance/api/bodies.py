"""Reading request bodies: JSON objects within the limit, with errors that name what is wrong."""

from __future__ import annotations

from typing import ClassVar

import msgspec
from fastapi import Request

from commons.process.errors import HeadgateError, Invalid
from protocol import codes

LARGEST_BODY = 12 * 1024 * 1024


class TooLarge(HeadgateError):
    """The body is over the limit."""

    http_status: ClassVar[int] = 413
    grpc_status: ClassVar[str] = "INVALID_ARGUMENT"


class WrongType(HeadgateError):
    """The body is not of a type we read."""

    http_status: ClassVar[int] = 415
    grpc_status: ClassVar[str] = "INVALID_ARGUMENT"


async def json_object(request: Request, *, may_lack: bool = False) -> dict[str, object]:
    """The body as a JSON object; an empty one when there is no body and `may_lack` allows it."""
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > LARGEST_BODY:
            raise TooLarge(codes.REQUEST_INVALID, f"the body is over {LARGEST_BODY} bytes; send less", field="body")
    if not raw.strip():
        if may_lack:
            return {}
        raise Invalid(codes.REQUEST_INVALID, "the body is missing; send a JSON object", field="body")
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise WrongType(
            codes.REQUEST_INVALID, f"Content-Type must be application/json, not {kind[:60]}", field="Content-Type"
        )
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(codes.REQUEST_INVALID, f"the body is not JSON: {error}", field="body") from None
    if not isinstance(value, dict):
        raise Invalid(codes.REQUEST_INVALID, "the body must be a JSON object", field="body")
    return value
