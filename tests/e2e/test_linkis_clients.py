"""Clients written for Linkis that cannot run here: their requests as recorded, in their order, and what they read.

linkis-cli 1.8.0 was recorded against a real Linkis. The Java computation client (UJES) is told by its source: it fails
at a JSON type that it does not expect, so the types are asserted here. The Python SDK runs for real in test_flink.py.
The Java client's once jobs are in test_once.py, here only with a real engine.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.conftest import Service
from tests.support.jobs import eventually
from tests.support.once import COMPLETED, OnceClient
from tests.support.rest import PREFIX

AGENT = {"User-Agent": "Apache-HttpClient/4.5.14 (Java/11.0.24)", "Accept-Encoding": "gzip,deflate"}
POSTED = {"Content-Type": "application/json", "Content-Encoding": "utf-8"}
"""`utf-8` is no content coding; both clients write it all the same."""
ENDED = {"Succeed", "Failed", "Cancelled", "Timeout"}
KNOWN = ENDED | {"Inited", "Scheduled", "Running"}
"""What linkis-cli takes for a status: at another it gives up."""


class Linkis:
    """One client: every answer must be JSON by its header, and the envelope with status 0."""

    def __init__(self, service: Service, headers: dict[str, str]) -> None:
        self.http = httpx2.Client(base_url=service.url + PREFIX, headers=AGENT | headers, timeout=60)

    def get(self, route: str, **query: str | int) -> Any:
        return self._data(self.http.get(route, params=query))

    def post(self, route: str, body: object) -> Any:
        return self._data(self.http.post(route, content=json.dumps(body).encode(), headers=POSTED))

    def ended(self, task_id: int) -> Any:
        """The history task once it has ended, asked for as both clients do."""
        until = time.monotonic() + 240
        while (task := self.get(f"/jobhistory/{task_id}/get")["task"])["status"] not in ENDED:
            assert task["status"] in KNOWN and time.monotonic() < until, task
            assert self.get(f"/entrance/{task['strongerExecId']}/status")["status"] in KNOWN
            time.sleep(0.2)
        return task

    @staticmethod
    def _data(reply: httpx2.Response) -> Any:
        assert reply.headers["content-type"].startswith("application/json")
        answer = reply.json()
        assert (reply.status_code, answer["status"]) == (200, 0) and isinstance(answer["message"], str), answer
        return answer["data"]


@pytest.fixture
def cli(service: Service) -> Iterator[Linkis]:
    """linkis-cli: never logs in, sends its token with each request."""
    client = Linkis(service, {"Token-Code": service.token, "Token-User": service.user})
    yield client
    client.http.close()


@pytest.fixture
def java(service: Service) -> Iterator[Linkis]:
    """The Java client: logs in first and keeps the cookie."""
    client = Linkis(service, {})
    client.post("/user/login", {"userName": service.user, "password": service.password})
    yield client
    client.http.close()


def cli_body(user: str, engine: str, code_type: str, code: str, creator: str = "LINKISCLI") -> dict[str, Any]:
    """What linkis-cli submits: the run type is a label, and the engine is for once."""
    return {
        "executionContent": {"code": code},
        "source": {"scriptPath": "LinkisCli", "cli.version": "1.8.0"},
        "params": {
            "configuration": {"startup": {}, "runtime": {"hive.resultset.use.unique.column.names": True}},
            "variable": {},
        },
        "executeUser": user,
        "labels": {
            "userCreator": f"{user}-{creator}", "codeType": code_type, "engineType": engine, "executeOnce": "",
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("engine", "code_type", "code", "rows"),
    [
        ("shell-1", "shell", "echo cli", [["cli"]]),
        ("flink-1.20.5", "sql", "SELECT 1 AS a, CAST(NULL AS STRING) AS n", [["1", "LINKIS_NULL"]]),
    ],
)
def test_linkis_cli_runs_a_job(
    cli: Linkis, service: Service, engine: str, code_type: str, code: str, rows: list[list[str]]
) -> None:
    submitted = cli.post("/entrance/submit", cli_body(service.user, engine, code_type, code))
    task = cli.ended(submitted["taskID"])
    assert (task["status"], task["errCode"], task["errDesc"]) == ("Succeed", 0, "")
    assert (task["umUser"], task["executeUser"], task["requestApplicationName"]) == (
        service.user, service.user, "LINKISCLI",
    )  # fmt: skip
    assert (task["engineType"], task["runType"]) == (engine.partition("-")[0], code_type)
    assert isinstance(task["costTime"], int) and task["costTime"] < 2**31 and float(task["progress"]) == 1.0
    # the log: from the beginning, then from the line that the answer names, until nothing comes
    log = cli.get(f"/entrance/{submitted['execID']}/log")
    assert len(log["log"]) == 4 and log["log"][3]
    rest = cli.get(f"/entrance/{submitted['execID']}/log", fromLine=log["fromLine"])
    assert (rest["log"], rest["fromLine"]) == (["", "", "", ""], log["fromLine"])
    assert cli.get("/filesystem/openLog", path=task["logPath"])["log"][3]
    # the results: every file of the folder, page by page until an empty one
    tree = cli.get("/filesystem/getDirFileTrees", path=task["resultLocation"])["dirFileTrees"]
    (child,) = tree["children"]
    asked: dict[str, Any] = {"path": child["path"], "charset": "utf-8", "pageSize": 5000, "nullValue": "LINKIS_NULL"}
    first, second = (cli.get("/filesystem/openFile", **asked, page=page) for page in (1, 2))
    assert (first["fileContent"], first["totalLine"]) == (rows, len(rows))
    assert (second["fileContent"], second["totalLine"]) == ([], 0)


def test_linkis_cli_kills_by_the_id_of_the_history(cli: Linkis, service: Service) -> None:
    body = cli_body(service.user, "shell-1", "shell", "sleep 600", creator="LINKISCLIASYNC")
    submitted = cli.post("/entrance/submit", body)
    task = cli.get(f"/jobhistory/{submitted['taskID']}/get")["task"]
    cli.get(f"/entrance/{task['strongerExecId']}/kill")
    assert cli.ended(submitted["taskID"])["status"] == "Cancelled"


def test_the_java_client_runs_a_job(java: Linkis, service: Service) -> None:
    code = "SELECT n FROM (VALUES (1), (2)) AS t(n); SELECT 'x' AS s"
    body = {
        "executionContent": {"code": code, "runType": "sql"},
        "executeUser": service.user,
        "labels": {"engineType": "flink-1.20.5", "userCreator": f"{service.user}-IDE", "codeType": "sql"},
        "params": {"variable": {}, "configuration": {"startup": {}, "runtime": {"execution.runtime-mode": "batch"}}},
        "source": {"scriptPath": "/a.sql"},
    }
    submitted = java.post("/entrance/submit", body)
    assert type(submitted["taskID"]) is int and type(submitted["execID"]) is str
    progress = java.get(f"/entrance/{submitted['execID']}/progress")
    assert type(progress["progress"]) is float and type(progress["progressInfo"]) is list
    log = java.get(f"/entrance/{submitted['execID']}/log", size=1000)
    assert type(log["log"]) is list and type(log["fromLine"]) is int
    task = java.ended(submitted["taskID"])
    assert task["status"] == "Succeed", task["errDesc"]
    assert type(task["createdTime"]) is int and type(task["updatedTime"]) is int and type(task["progress"]) is str
    tree = java.get("/filesystem/getDirFileTrees", path=task["resultLocation"])["dirFileTrees"]
    assert [child["isLeaf"] for child in tree["children"]] == [True, True]
    pages = [
        java.get(
            "/filesystem/openFile",
            path=child["path"], charset="utf-8", pageSize=100, page=1, nullValue="LINKIS_NULL",
        )
        for child in tree["children"]
    ]  # fmt: skip
    assert [page["fileContent"] for page in pages] == [[["1"], ["2"]], [["x"]]]
    assert [column["columnName"] for page in pages for column in page["metadata"]] == ["n", "s"]


def test_the_java_client_says_what_went_wrong(java: Linkis, service: Service) -> None:
    body = {
        "executionContent": {"code": "SELECT * FROM nosuch", "runType": "sql"},
        "labels": {"engineType": "flink-1.20.5", "userCreator": f"{service.user}-IDE"},
    }
    task = java.ended(java.post("/entrance/submit", body)["taskID"])
    assert task["status"] == "Failed" and type(task["errCode"]) is int and "nosuch" in task["errDesc"]


def test_the_java_client_finds_its_gateway_and_alerts(java: Linkis) -> None:
    assert type(java.get("/gateway/heartbeat")["gatewayList"]) is list
    submitted = java.post(
        "/entrance/execute",
        {"executionCode": "echo x", "executeApplicationName": "shell-1", "requestApplicationName": "IDE",
         "runType": "shell", "params": {}, "source": {}},
    )  # fmt: skip
    alert = {"taskId": submitted["taskID"], "receiver": "alice", "extra": {"title": "late", "detail": "more"},
             "monitorLevel": "MINOR", "subSystemId": "1"}  # fmt: skip
    java.post("/jobhistory/setting/addObserveInfo", alert)
    java.get("/jobhistory/setting/deleteObserveInfo", taskId=submitted["taskID"])
    java.get(f"/entrance/{submitted['execID']}/pause")
    assert java.ended(submitted["taskID"])["status"] == "Succeed"


def test_the_java_client_runs_a_once_job_on_flink(java: Linkis, service: Service) -> None:
    once = OnceClient(service, engine="flink-1.20.5")
    code = "CREATE TABLE n (n INT) WITH ('connector' = 'datagen', 'number-of-rows' = '${rows}'); SELECT COUNT(*) FROM n"
    once.submit(code, "sql", variable={"rows": "7"}, runtime={"execution.runtime-mode": "batch"})
    eventually(lambda: once.status().lower() in COMPLETED, "it ends", 240)
    task = java.ended(once.data["taskID"])
    assert (once.status(), task["status"], task["runType"]) == ("Success", "Succeed", "sql"), task["errDesc"]
    (child,) = java.get("/filesystem/getDirFileTrees", path=task["resultLocation"])["dirFileTrees"]["children"]
    assert java.get("/filesystem/openFile", path=child["path"])["fileContent"] == [["7"]]
    assert once.operate("engineConnMetrics")["metrics"]["statements"]
    assert any("SELECT COUNT" in line for line in once.log()["logs"])
    once.close()
