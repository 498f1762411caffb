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


class NoSuchResult(HeadgateError):
    """The job has not the one result set that was asked for; `count` is how many it has."""

    def __init__(self, job_id: str | int, count: int, number: int | None) -> None:
        has = {0: "no result set", 1: "one result set, 0"}.get(count, f"{count} result sets, 0 to {count - 1}")
        super().__init__(f"job {job_id} has {has}; " + ("name one" if number is None else f"there is no {number}"))
        self.count = count
