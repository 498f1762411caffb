"""What can go wrong between a client and the service."""

from __future__ import annotations


class HeadgateError(Exception):
    """`code` is the service's public error code (0 when it gave none); `field` the input at fault, when one is."""

    def __init__(self, message: str, code: int = 0, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.field = field


class Unreachable(HeadgateError):
    """Nothing answers at the URL."""


class NotLoggedIn(HeadgateError):
    """The service does not know who asks; log in, or give a token."""


class Refused(HeadgateError):
    """The service refused the request and said why."""
