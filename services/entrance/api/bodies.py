"""Reading request bodies: JSON objects within the limits, with errors that name what is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import ClassVar

from fastapi import Request

from commons.process.errors import HeadgateError, Invalid, TooLarge, Unavailable
from protocol import codes
from services.entrance.wire.objects import parse_object

LARGEST_BODY = 12 * 1024 * 1024
LARGEST_LOG_IN = 64 * 1024
"""Of a body that is read before anybody has shown who he is."""
LARGEST_AT_ONCE = 256 * 1024 * 1024
"""Bytes of all bodies that are being read."""
LONGEST_READ_SECONDS = 60.0


class WrongType(HeadgateError):
    """The body is not of a type we read."""

    http_status: ClassVar[int] = 415
    grpc_status: ClassVar[str] = "INVALID_ARGUMENT"


class TooSlow(HeadgateError):
    """The body did not come in time."""

    http_status: ClassVar[int] = 408
    grpc_status: ClassVar[str] = "INVALID_ARGUMENT"


class _AtOnce:
    """How many bytes of bodies are held by requests that are being read."""

    held = 0


async def json_object(request: Request, *, may_lack: bool = False, largest: int = LARGEST_BODY) -> dict[str, object]:
    """The body as a JSON object; an empty one when there is no body and `may_lack` allows it.

    See `parse_object`. Raises what names the field and the fix.
    """
    raw = await _whole(request, largest)
    if not raw.strip():
        if may_lack:
            return {}
        raise Invalid(codes.REQUEST_INVALID, "the body is missing; send a JSON object", field="body")
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise WrongType(
            codes.REQUEST_INVALID, f"Content-Type must be application/json, not {kind[:60]!r}", field="Content-Type"
        )
    return parse_object(raw, "body")


async def bounded(request: Request, largest: int, field: str) -> AsyncGenerator[bytes, None]:
    """The body's chunks as they come. Raises TooLarge before more than `largest` bytes were read, TooSlow when the
    sender falls silent."""
    told = request.headers.get("content-length", "")
    if told.isascii() and told.isdigit() and (len(told) > 18 or int(told) > largest):
        raise _too_large(field, largest)
    size, chunks = 0, request.stream()
    while True:
        try:
            async with asyncio.timeout(LONGEST_READ_SECONDS):
                chunk = await anext(chunks, None)
        except TimeoutError:
            raise _too_slow(field) from None
        if chunk is None:
            return
        size += len(chunk)
        if size > largest:
            raise _too_large(field, largest)
        yield chunk


async def _whole(request: Request, largest: int) -> bytearray:
    """The body, in memory: so one that drips is given up, and all that are being read share a limit."""
    raw = bytearray()
    try:
        async with asyncio.timeout(LONGEST_READ_SECONDS):
            async for chunk in bounded(request, largest, "body"):
                if _AtOnce.held + len(chunk) > LARGEST_AT_ONCE:
                    what = "too many large bodies are being sent at once; try again later"
                    raise Unavailable(codes.TOO_BUSY, what, field="body")
                _AtOnce.held += len(chunk)
                raw += chunk
    except TimeoutError:
        raise _too_slow("body") from None
    finally:
        _AtOnce.held -= len(raw)
    return raw


def _too_large(field: str, largest: int) -> TooLarge:
    return TooLarge(codes.REQUEST_INVALID, f"the {field} is over {largest} bytes; send less", field=field)


def _too_slow(field: str) -> TooSlow:
    what = f"the {field} did not come within {LONGEST_READ_SECONDS:.0f} s; send it at once"
    return TooSlow(codes.REQUEST_INVALID, what, field=field)
