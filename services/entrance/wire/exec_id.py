"""execIDs, built and parsed here only: exec_id + two three-digit lengths + application + instance + short id."""

from __future__ import annotations

import re
from dataclasses import dataclass

from commons.process.errors import Invalid
from protocol import codes, names

PREFIX = "exec_id"
LONGEST_NAME = 20
NAME = re.compile(rf"^(?!\.+\Z)[A-Za-z0-9_.]{{1,{LONGEST_NAME}}}\Z")


@dataclass(frozen=True, slots=True)
class JobId:
    """A numeric task id."""

    value: int


@dataclass(frozen=True, slots=True)
class ShortId:
    """What an execID says of its job; `instance` made it."""

    value: str
    instance: str


def short_id(creator: str, user: str, engine_type: str, number: str) -> str:
    """<creator>_<user>_<engineType>_<n>: at most 64 characters, since `number` has 12."""
    return f"{creator}_{user}_{engine_type}_{number}"


def build(instance: str, short: str) -> str:
    """The execID of a job that `instance` (host:port) took."""
    return f"{PREFIX}{len(names.APPLICATION):03d}{len(instance):03d}{names.APPLICATION}{instance}{short}"


def parse_job_key(text: str) -> JobId | ShortId:
    """What a route's {id} names. Raises Invalid for anything that is neither an execID nor a number."""
    if text.isascii() and text.isdigit() and len(text) <= 18:
        return JobId(int(text))
    lengths = text[len(PREFIX) : len(PREFIX) + 6]
    if text.startswith(PREFIX) and len(lengths) == 6 and lengths.isascii() and lengths.isdigit():
        start = len(PREFIX) + 6 + int(lengths[:3])
        end = start + int(lengths[3:])
        application, instance, short = text[len(PREFIX) + 6 : start], text[start:end], text[end:]
        if application == names.APPLICATION and instance and short:
            return ShortId(short, instance)
    raise Invalid(codes.JOB_UNKNOWN, f"{text[:80]!r} is neither an execID nor a numeric task id", field="id")
