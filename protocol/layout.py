"""Where a job's files lie under the storage root, and a task's on its node.

Under the root: jobs/<yyyy-MM-dd>/<user>/<short id>/<attempt>/{log, results/<n>/{schema,part-<row>}.arrow}, and of
long code `code`, as history shows it; as it runs it lies in code-to-run/<short id>, until the job has ended.
Artifacts lie beside the jobs, in artifacts/<yyyy-MM-dd>/<random>, by the day they came.
On the node, in a task's folder: events, log, results/<n>/ in the same shape.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from commons.process.clock import to_datetime

JOBS = "jobs"
EVENTS = "events"
LOG = "log"
CODE = "code"
CODE_TO_RUN = "code-to-run"
"""A folder beside `jobs`."""
TASK = "task"
"""What a task is asked to do, while it runs on an engine that can be adopted; for its owner's eyes only."""
ARTIFACTS = "artifacts"
"""A folder beside `jobs`."""
RESULTS = "results"
SCHEMA = "schema.arrow"

_JOB_PATH = re.compile(r"jobs/(\d{4}-\d{2}-\d{2})/([^/\0]+)/([^/\0]+)/(\d{1,9})(?:/([^\0\n]*))?", re.A)


def code_to_run(short_id: str) -> str:
    """Where a job's long code lies as it runs, until the job ends."""
    return f"{CODE_TO_RUN}/{short_id}"


@dataclass(frozen=True, slots=True)
class JobPath:
    """A place of one attempt of a job under the storage root; `rest` is what follows, such as `results/_0.dolphin`."""

    day: str
    user: str
    short_id: str
    attempt: int
    rest: str = ""

    def __str__(self) -> str:
        path = f"{self.job}/{self.attempt}"
        return f"{path}/{self.rest}" if self.rest else path

    @property
    def job(self) -> str:
        """The folder of the job with all its attempts."""
        return f"{JOBS}/{self.day}/{self.user}/{self.short_id}"

    @classmethod
    def parse(cls, path: str) -> JobPath | None:
        """The place a path relative to the root names, or None when it is no job's."""
        found = _JOB_PATH.fullmatch(path.strip("/"))
        if found is None:
            return None
        return cls(found[1], found[2], found[3], int(found[4]), (found[5] or "").strip("/"))


def day_of(now_ms: int) -> str:
    """The day under which a job's files lie (UTC)."""
    return to_datetime(now_ms).date().isoformat()


def is_day(name: str) -> bool:
    """Whether a folder is one that `day_of` names."""
    return re.fullmatch(r"\d{4}-\d{2}-\d{2}", name) is not None


def part_name(first_row: int) -> str:
    """File name of the part of a result set that begins with this row, from 0; names sort in the order of the rows."""
    return f"part-{first_row:012d}.arrow"


def first_row(name: str) -> int | None:
    """The first row of the part with this file name, or None when it is no part's."""
    found = re.fullmatch(r"part-(\d{12})\.arrow", name, re.A)
    return int(found[1]) if found else None


def next_attempt(address: str) -> str:
    """The same place of the job's next attempt: `…/1/log` -> `…/2/log`."""
    folder, _, name = address.rpartition("/")
    place, _, attempt = folder.rpartition("/")
    return f"{place}/{int(attempt) + 1}/{name}"
