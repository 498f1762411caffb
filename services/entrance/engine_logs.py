"""A job's log as it is asked of the node of its engine: from line 1, as a page or the last lines, by key words."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from commons.process.errors import Invalid
from protocol import codes
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from services.entrance.jobs import Jobs
from services.entrance.operators import Parameters, needed, unknown_operator
from services.entrance.wire import once as wire
from services.entrance.wire.logs import LARGEST_SIZE, begins_entry

NAME = "engineConnLog"
LINES_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Wanted:
    """The page from `first`, which counts from 1, or the last rows. Of entries that hold one of `only` and none of
    `never`; a line without a time goes with the one before it."""

    first: int
    rows: int
    last: bool
    only: Sequence[str]
    never: Sequence[str]

    @classmethod
    def of(cls, parameters: Parameters) -> Wanted:
        """Raises Invalid naming the field."""
        last = _count(parameters, "lastRows", 0)
        rows = last or _count(parameters, "pageSize", 100)
        first = 1 if last else max(1, _count(parameters, "fromLine", 1))
        return cls(first, rows, last > 0, _words(parameters, "onlyKeywords"), _words(parameters, "ignoreKeywords"))

    def holds(self, line: str) -> bool:
        return (not self.only or any(word in line for word in self.only)) and not any(
            word in line for word in self.never
        )


async def read(jobs: Jobs, job: pb.Job, parameters: Parameters) -> dict[str, object]:
    """The lines, and the number of the last one that was looked at. Raises Invalid."""
    if (name := needed(parameters, wire.OPERATOR)) != NAME:
        raise unknown_operator(name, {NAME: read})
    wanted = Wanted.of(parameters)
    kept: deque[str] = deque(maxlen=wanted.rows if wanted.last else None)
    end, holds = wanted.first - 1, True
    while wanted.last or len(kept) < wanted.rows:
        lines = await jobs.log(job, end, LINES_AT_ONCE)
        if not lines:
            break
        for line in lines:
            if begins_entry(line):
                holds = wanted.holds(line)
            if holds:
                kept.append(line)
            end += 1
            if not wanted.last and len(kept) == wanted.rows:
                break
    return {"logPath": job.log_path, "logs": list(kept), "endLine": end, "rows": len(kept)}


def _words(parameters: Parameters, name: str) -> list[str]:
    return [word for word in wire.text(parameters, name, "parameters.").split(",") if word]


def _count(parameters: Parameters, name: str, default: int) -> int:
    """A whole number up to what a reply can hold of lines, and for a line's number up to any."""
    text = wire.text(parameters, name, "parameters.") or str(default)
    most = 2**53 if name == "fromLine" else LARGEST_SIZE
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 18 and int(text) <= most):
        what = f"parameters.{name} must be a whole number up to {most}, not {text[:30]!r}"
        raise Invalid(codes.FIELD_INVALID, what, field=f"parameters.{name}")
    return max(0, int(text))
