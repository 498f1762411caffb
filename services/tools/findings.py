"""What a look at one thing finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    OK = "ok"
    WARN = "warn"
    """The service runs, but something will not be as it should."""
    FAIL = "fail"
    """The service or its engines do not run."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`check` names the thing; `fix` says how to mend it, and is empty when all is well."""

    check: str
    state: State
    found: str
    fix: str = ""


def ok(check: str, found: str) -> Finding:
    return Finding(check, State.OK, found)


def warn(check: str, found: str, fix: str) -> Finding:
    return Finding(check, State.WARN, found, fix)


def fail(check: str, found: str, fix: str) -> Finding:
    return Finding(check, State.FAIL, found, fix)


def megabytes(count: float) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{int(count) >> 20} MiB"
