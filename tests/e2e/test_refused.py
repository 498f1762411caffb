"""Submits that are refused: by intake as jobs that have failed, by a full queue without a trace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests import conftest
from tests.conftest import Service
from tests.support.rest import PREFIX, Rest

ECHO: dict[str, Any] = {
    "executionContent": {"code": "echo x", "runType": "shell"},
    "labels": {"engineType": "shell-1", "userCreator": "admin-IDE"},
}


@pytest.mark.parametrize(
    ("changes", "code", "field", "shown"),
    [
        ({"labels": {"engineType": "spark-3", "userCreator": "admin-IDE"}}, 31002, "labels.engineType", "unknown"),
        ({"labels": {"engineType": "../x", "userCreator": "admin-IDE"}}, 31002, "labels.engineType", "unknown"),
        ({"labels": {"engineType": "shell-9"}}, 31002, "labels.engineType", "shell"),
        ({"labels": {"engineType": "shell-1", "userCreator": "bob-IDE"}}, 50080, "labels.userCreator", "shell"),
        ({"executionContent": {"code": "echo x", "runType": "psql"}}, 31002, "executionContent.runType", "shell"),
        ({"params": {"variable": {"n": "1"}}, "executionContent": {"code": "echo ${n", "runType": "sql"}},
         31002, "executionContent.runType", "shell"),
    ],
)  # fmt: skip
def test_what_intake_refuses_is_a_failed_job_that_the_error_names(
    rest: Rest, service: Service, changes: dict[str, object], code: int, field: str, shown: str
) -> None:
    answer = rest.http.post(PREFIX + "/entrance/submit", json={**ECHO, **changes})
    data = answer.json()["data"]
    assert (answer.status_code, data["errorMsg"]["errCode"], data["field"]) == (400, code, field)
    task = service.client().job(data["taskID"]).history()
    assert (task["status"], task["errCode"], task["errDesc"]) == ("Failed", code, data["errorMsg"]["desc"])
    assert (task["strongerExecId"], task["engineType"], task["progress"]) == (data["execID"], shown, "1.0")
    log = "\n".join(service.client().job(data["taskID"]).log())
    assert f"is refused: {data['errorMsg']['desc']}" in log and " ERROR " in log


def test_what_has_no_shape_is_no_job(rest: Rest) -> None:
    for body in ({}, {**ECHO, "labels": {}}, {**ECHO, "executionContent": {"code": " ", "runType": "shell"}}):
        answer = rest.http.post(PREFIX + "/entrance/submit", json=body)
        assert answer.status_code == 400 and "taskID" not in answer.json()["data"]


def test_a_full_queue_says_when_to_come_again_and_keeps_nothing(tmp_path: Path) -> None:
    full = conftest.start(
        tmp_path / "home", "--stop-engines", HEADGATE_TENANT_RUNNING_JOBS="1", HEADGATE_TENANT_QUEUED_JOBS="1"
    )
    rest = Rest(full)
    endless = {**ECHO, "executionContent": {"code": "sleep 600", "runType": "shell"}}
    taken = [rest.http.post(PREFIX + "/entrance/submit", json=endless) for _ in range(4)]
    refused = next(answer for answer in taken if answer.status_code != 200)
    assert (refused.status_code, refused.json()["data"]["errorMsg"]["errCode"]) == (429, 12001)
    assert int(refused.headers["Retry-After"]) > 0 and "taskID" not in refused.json()["data"]
    kept = [answer.json()["data"]["taskID"] for answer in taken if answer.status_code == 200]
    assert {task["taskID"] for task in rest.get("/jobhistory/list")["tasks"]} == set(kept)
    rest.http.close()
    assert conftest.stop(full) == 0
