"""Errors that cross a door: each has a public code, an HTTP and a gRPC status, and says whether trying again can help.

Refused by policy and broken are different classes, so that a client can tell "you may not" from "we could not".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class HeadgateError(Exception):
    """`code` is public and permanent (see `protocol/codes.py`); `field` names the input at fault, when one is.

    `more` is what the answer tells beside it.
    """

    http_status: ClassVar[int] = 500
    grpc_status: ClassVar[str] = "INTERNAL"
    retryable: ClassVar[bool] = False
    retry_seconds: int = 5
    """When to try again, of errors that are retryable."""

    def __init__(self, code: int, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.more: Mapping[str, object] = {}


class Invalid(HeadgateError):
    """The request itself is wrong; the same request will never work."""

    http_status = 400
    grpc_status = "INVALID_ARGUMENT"


class TooLarge(Invalid):
    """The request is over a limit of size."""

    http_status = 413


class NotFound(HeadgateError):
    """There is no such thing, or it is not the caller's to see."""

    http_status = 400
    grpc_status = "NOT_FOUND"


class NotLoggedIn(HeadgateError):
    """Nobody, or nobody we know, asks."""

    http_status = 401
    grpc_status = "UNAUTHENTICATED"


class Refused(HeadgateError):
    """Policy says no to this caller."""

    http_status = 403
    grpc_status = "PERMISSION_DENIED"


class Exhausted(HeadgateError):
    """A limit is reached; it may work later."""

    http_status = 429
    grpc_status = "RESOURCE_EXHAUSTED"
    retryable = True


class AlreadyExists(HeadgateError):
    """The name is taken by something else."""

    http_status = 409
    grpc_status = "ALREADY_EXISTS"


class Conflict(HeadgateError):
    """Something else happened first: the row moved on, or it is no longer the caller's."""

    http_status = 409
    grpc_status = "FAILED_PRECONDITION"


class Unavailable(HeadgateError):
    """A part does not answer now; it may later."""

    http_status = 503
    grpc_status = "UNAVAILABLE"
    retryable = True


class Broken(HeadgateError):
    """Something that should work did not; the message says what is known."""


KINDS: dict[str, type[HeadgateError]] = {
    kind.grpc_status: kind
    for kind in (Invalid, NotFound, NotLoggedIn, Refused, Exhausted, AlreadyExists, Conflict, Unavailable, Broken)
}
"""The class of an error that came over gRPC, by its status name."""
