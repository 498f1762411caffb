# ruff: noqa: E501
"""The whole path with the smallest engine: submit to result, failure, kill, who sees what."""

from __future__ import annotations

import json
import urllib.request

import httpx2
import pytest
from headgate import Client, Refused

from tests.conftest import Service

SHELL = "shell-1"


def test_output_is_result_and_log(service: Service) -> None:
    job = service.client().submit("echo one; echo two; echo oops >&2", engine=SHELL)
    assert job.wait(60) == "Succeed"
    (result,) = job.results()
    assert [column.name for column in result.columns] == ["line"]
    assert list(result.rows()) == [["one"], ["two"]]
    log = job.log()
    assert any(" WARN oops" in line for line in log)
    assert log[-1].endswith("INFO Congratulations. Your job completed with status Success.")
    assert job.progress().fraction == 1.0


def test_the_exit_code_decides(service: Service) -> None:
    job = service.client().submit("echo out; echo why >&2; exit 3", engine=SHELL)
    assert job.wait(60) == "Failed"
    assert job.history()["errDesc"] == "The shell ended with exit code 3: why"


def test_a_job_ends_with_its_shell(service: Service) -> None:
    job = service.client().submit("sleep 300 & setsid sleep 299 & echo started", engine=SHELL)
    assert job.wait(60) == "Succeed"
    (result,) = job.results()
    assert list(result.rows()) == [["started"]]


def test_kill_ends_it_cancelled(service: Service) -> None:
    job = service.client().submit("echo begin; sleep 600", engine=SHELL)
    for _ in job.follow():
        if job.status() == "Running" and any(line.endswith("INFO begin") for line in job.log()):
            break
    job.kill()
    assert job.wait(30) == "Cancelled"
    job.kill()
    assert job.history()["errCode"] == 31001


def test_another_user_sees_nothing(service: Service) -> None:
    admin = service.client()
    job = admin.submit("echo secret", engine=SHELL)
    job.wait(60)
    admin.create_user("mallory", "long enough")
    mallory = Client(service.url, "mallory", password="long enough")
    assert mallory.jobs() == []
    for look in (
        mallory.job(job.id).status,
        mallory.job(job.id).progress,
        mallory.job(job.id).log,
        mallory.job(job.id).kill,
    ):
        with pytest.raises(Refused):
            look()
    tree = f"{service.url}/api/rest_j/v1/filesystem/getDirFileTrees"
    cookie = {"Cookie": f"linkis_user_session_ticket_id_v1={mallory.credentials.ticket}"}
    refused = httpx2.get(tree, params={"path": job.history()["resultLocation"]}, headers=cookie)
    assert refused.status_code == 400 and "no permission" in refused.text
    with pytest.raises(Refused, match="administrators only"):
        mallory.submit("echo hi", engine=SHELL)
    mallory.close()


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        (b"{", 20010, "body"),
        (b"[]", 20010, "body"),
        (b"", 20010, "body"),
        (b'{"executionContent":{"code":" ","runType":"sql"},"labels":{"engineType":"flink"}}', 20007, "executionContent.code"),
        (b'{"executionContent":{"code":"x","runType":"sql"}}', 20008, "labels"),
        (b'{"executionContent":{"code":"x","runType":"sql"},"labels":{"engineType":"nope-9"}}', 31002, "labels.engineType"),
        (
            b'{"executionContent":{"code":"x","runType":"sql"},"labels":{"engineType":"flink","userCreator":"bob-IDE"}}',
            50080,
            "labels.userCreator",
        ),
    ],
)  # fmt: skip
def test_a_wrong_submit_is_refused_by_field(service: Service, body: bytes, code: int, field: str) -> None:
    headers = {"Token-Code": service.token, "Token-User": "admin", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{service.url}/api/rest_j/v1/entrance/submit", body, headers, method="POST")
    with pytest.raises(urllib.request.HTTPError) as caught:  # type: ignore[attr-defined]
        urllib.request.urlopen(request)
    with caught.value as reply:
        answer = json.load(reply)
    assert reply.code == 400 and answer["status"] == 1
    assert (answer["data"]["errorMsg"]["errCode"], answer["data"]["field"]) == (code, field)
