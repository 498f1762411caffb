"""Jobs through the SDK, as the end-to-end tests run them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx2
from headgate import Job

from tests.conftest import Service

BATCH = {"execution.runtime-mode": "batch"}


def run(service: Service, code: str, expected: str = "Succeed", **more: Any) -> Job:
    """A job that has ended as expected; otherwise its log is shown."""
    job = service.client().submit(code, **more)
    status = job.wait(240)
    assert status == expected, "\n".join(job.log())
    return job


def shell_submit(service: Service, code: str, expected: int = 200, **labels: object) -> dict[str, Any]:
    """The data of the answer to a submit with these labels; the SDK has no words for them."""
    body = {"executionContent": {"code": code, "runType": "shell"}, "labels": {"engineType": "shell-1", **labels}}
    headers = {"Token-Code": service.token, "Token-User": service.user}
    reply = httpx2.post(f"{service.url}/api/rest_j/v1/entrance/submit", json=body, headers=headers)
    assert reply.status_code == expected, reply.text
    return dict(reply.json()["data"])


def shell_job(service: Service, code: str, **labels: object) -> Job:
    return service.client().job(int(shell_submit(service, code, **labels)["taskID"]))


def tables(job: Job) -> list[list[list[str | None]]]:
    """The rows of each result set."""
    return [list(result.rows()) for result in job.results()]


def eventually(true: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Wait until `true()` holds."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, what
        time.sleep(0.1)
