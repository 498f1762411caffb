"""Jobs through the SDK, as the end-to-end tests run them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from headgate import Job

from tests.conftest import Service

BATCH = {"execution.runtime-mode": "batch"}


def run(service: Service, code: str, expected: str = "Succeed", **more: Any) -> Job:
    """A job that has ended as expected; otherwise its log is shown."""
    job = service.client().submit(code, **more)
    status = job.wait(240)
    assert status == expected, "\n".join(job.log())
    return job


def tables(job: Job) -> list[list[list[str | None]]]:
    """The rows of each result set."""
    return [list(result.rows()) for result in job.results()]


def eventually(true: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Wait until `true()` holds."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, what
        time.sleep(0.1)
