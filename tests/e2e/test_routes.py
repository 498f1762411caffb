"""Answers of /entrance and /jobhistory field by field, as Linkis clients read them, under both prefixes."""

from __future__ import annotations

import json

import pytest
from headgate import Job

from tests.conftest import Service
from tests.support.jobs import eventually, run
from tests.support.rest import ALIAS, PREFIX, Rest, shape

TASK = {
    "taskID": "int", "instance": "str", "execId": "str", "umUser": "str", "executeUser": "str",
    "engineInstance": "str", "executionCode": "null", "progress": "str", "logPath": "str", "resultLocation": "str",
    "status": "str", "createdTime": "int", "updatedTime": "int", "engineType": "str", "errCode": "int",
    "errDesc": "str", "executeApplicationName": "str", "requestApplicationName": "str", "runType": "str",
    "paramsJson": "str", "costTime": "int", "strongerExecId": "str", "sourceJson": "str", "sourceTailor": "str",
    "engineStartTime": "null", "labels": ["str"], "canRetry": "bool", "observeInfo": "null", "isReuse": "null",
    "requestStartTime": "null", "requestEndTime": "null", "requestSpendTime": "null", "metrics": "str",
    "subJobs": "null",
}  # fmt: skip


def test_submit(rest: Rest, service: Service) -> None:
    body = {"executionContent": {"code": "echo", "runType": "shell"}, "labels": {"engineType": "shell-1"}}
    for prefix in (PREFIX, ALIAS):
        reply = rest.http.post(f"{prefix}/entrance/submit", json=body, headers={"Content-Encoding": "utf-8"})
        answer = reply.json()
        assert (reply.status_code, answer["method"], answer["status"]) == (200, "/api/entrance/submit", 0)
        assert shape(answer["data"]) == {"taskID": "int", "execID": "str"}
        assert answer["data"]["execID"].startswith("exec_id018")
        assert service.client().job(answer["data"]["taskID"]).wait(60) == "Succeed"


def test_status_and_progress_of_a_running_job(rest: Rest, endless: Job) -> None:
    eventually(lambda: endless.status() == "Running", "it runs")
    told = rest.get(f"/entrance/{endless.id}/status")
    assert list(told) == ["status", "execID"] and told["status"] == "Running"
    told = rest.get(f"/entrance/{endless.id}/progress")
    assert shape(told) == {"progress": "float", "progressInfo": [], "execID": "str"} and 0 <= told["progress"] < 1


def test_status_and_progress_of_a_job_that_has_ended(rest: Rest, ended: Job) -> None:
    exec_id = ended.history()["strongerExecId"]
    assert rest.get(f"/entrance/{ended.id}/status") == {"status": "Succeed", "execID": exec_id}
    assert rest.get(f"/entrance/{ended.id}/progress") == {"progress": 1.0, "progressInfo": [], "execID": exec_id}


@pytest.mark.parametrize("action", ["status", "progress", "log", "kill"])
def test_numbers_and_exec_ids_name_the_same_job(rest: Rest, ended: Job, action: str) -> None:
    exec_id = ended.history()["strongerExecId"]
    by_number, by_exec_id = rest.get(f"/entrance/{ended.id}/{action}"), rest.get(f"/entrance/{exec_id}/{action}")
    assert by_number == by_exec_id and by_number["execID"] == exec_id


def test_the_log_comes_in_four_texts_or_in_one(rest: Rest, service: Service) -> None:
    job = run(service, "echo one; echo careful >&2; exit 3", "Failed", engine="shell-1")
    four = rest.get(f"/entrance/{job.id}/log")
    assert shape(four) == {"log": ["str"], "fromLine": "int", "execID": "str"}
    error, warn, info, whole = four["log"]
    assert error.endswith("ERROR The shell ended with exit code 3: careful") and warn.endswith(" WARN careful")
    assert sorted("\n".join([error, warn, info]).split("\n")) == sorted(whole.split("\n"))
    one = rest.get(f"/entrance/{job.id}/log", distinctLevel="false")
    assert shape(one) == {"log": "str", "fromLine": "int", "execID": "str"}
    assert (one["log"], one["fromLine"]) == (whole, four["fromLine"])
    assert four["fromLine"] == len(whole.split("\n"))


def test_the_log_is_read_from_line_to_line(rest: Rest, ended: Job) -> None:
    whole = rest.get(f"/entrance/{ended.id}/log", size=-1)
    lines = whole["log"][3].split("\n")
    part = rest.get(f"/entrance/{ended.id}/log", fromLine=2, size=3)
    assert (part["log"][3].split("\n"), part["fromLine"]) == (lines[2:5], 5)
    assert rest.get(f"/entrance/{ended.id}/log", fromLine=-7, size=-1) == whole
    beyond = rest.get(f"/entrance/{ended.id}/log", fromLine=500, size=3)
    assert (beyond["log"], beyond["fromLine"]) == (["", "", "", ""], 500)
    beyond = rest.get(f"/entrance/{ended.id}/log", fromLine=500, distinctLevel="false")
    assert (beyond["log"], beyond["fromLine"]) == ("", 500)


def test_kill_says_the_same_however_often(rest: Rest, service: Service) -> None:
    job = service.client().submit("sleep 600", engine="shell-1")
    for _ in range(2):
        answer = rest.http.get(f"{PREFIX}/entrance/{job.id}/kill").json()
        assert answer["message"] == "Successfully killed the job(成功kill了job)"
        assert shape(answer["data"]) == {"execID": "str"}
        assert job.wait(30) == "Cancelled"
    history = job.history()
    assert (history["status"], history["progress"], history["errCode"]) == ("Cancelled", "1.0", 31001)


def test_one_job_of_the_history(rest: Rest, ended: Job) -> None:
    told = rest.get(f"/jobhistory/{ended.id}/get")
    task = told["task"]
    assert list(told) == ["task"] and list(task) == list(TASK) and shape(task) == TASK
    assert (task["taskID"], task["umUser"], task["executeUser"]) == (ended.id, "admin", "admin")
    assert (task["progress"], task["errCode"], task["errDesc"]) == ("1.0", 0, "")
    assert (task["engineType"], task["requestApplicationName"], task["runType"]) == ("shell", "IDE", "shell")
    assert set(task["labels"]) == {"userCreator:admin-IDE", "engineType:shell-1", "codeType:shell"}
    assert task["costTime"] == task["updatedTime"] - task["createdTime"]
    for text in ("paramsJson", "sourceJson", "metrics"):
        assert isinstance(json.loads(task[text]), dict)


def test_a_running_job_of_the_history_has_an_engine_and_no_error(rest: Rest, endless: Job) -> None:
    eventually(lambda: endless.status() == "Running", "it runs")
    task = rest.get(f"/jobhistory/{endless.id}/get")["task"]
    assert list(task) == list(TASK)
    assert shape(task) == {**TASK, "errCode": "null", "errDesc": "null"}


def test_the_list_counts_jobs_and_shows_their_code(rest: Rest, ended: Job, service: Service) -> None:
    newest = run(service, "echo newest", engine="shell-1")
    page = rest.get("/jobhistory/list", pageSize=1)
    assert shape(page) == {"totalPage": "int", "tasks": [{**TASK, "executionCode": "str"}]}
    assert page["totalPage"] >= 2 and [task["taskID"] for task in page["tasks"]] == [newest.id]
    one = rest.get("/jobhistory/list", taskID=ended.id)
    assert one["totalPage"] == 1 and one["tasks"][0]["executionCode"] == "echo one; echo 'a,b'"
    last = rest.get("/jobhistory/list", pageSize=1, pageNow=page["totalPage"])
    assert rest.get("/jobhistory/list", pageSize=1, pageNow=10**6)["tasks"] == last["tasks"] != page["tasks"]
    assert rest.get("/jobhistory/list", status="Nonsense") == {"totalPage": 0, "tasks": []}
    wanted = {"executeApplicationName": "shell", "status": "Succeed", "runType": "shell", "creator": "IDE"}
    of_shell = rest.get("/jobhistory/list", **wanted)["tasks"]
    assert of_shell[0]["taskID"] == newest.id
    assert {(task["engineType"], task["status"]) for task in of_shell} == {("shell", "Succeed")}


def test_every_route_answers_under_the_short_prefix_too(rest: Rest, ended: Job) -> None:
    history = ended.history()
    routes = [f"/entrance/{ended.id}/{action}" for action in ("status", "progress", "log", "kill")]
    routes += [f"/jobhistory/{ended.id}/get", f"/jobhistory/list?taskID={ended.id}", "/user/userInfo"]
    routes += [f"/filesystem/getDirFileTrees?path={history['resultLocation']}"]
    routes += [f"/filesystem/openFile?path={history['resultLocation']}/_0.dolphin"]
    routes += [f"/filesystem/openLog?path={history['logPath']}"]
    for route in routes:
        long, short = rest.http.get(PREFIX + route), rest.http.get(ALIAS + route)
        assert (long.status_code, long.json()) == (200, short.json()), route


def test_the_description_shows_the_long_prefix_only(rest: Rest) -> None:
    paths = rest.http.get("/openapi.json").json()["paths"]
    ours = {path.removeprefix(PREFIX) for path in paths if path.startswith(f"{PREFIX}/")}
    assert not [path for path in paths if path.startswith(f"{ALIAS}/") and not path.startswith(f"{PREFIX}/")]
    assert ours >= {
        "/user/login", "/user/logout", "/user/userInfo", "/entrance/submit", "/entrance/{id}/status",
        "/entrance/{id}/progress", "/entrance/{id}/log", "/entrance/{id}/kill", "/jobhistory/list",
        "/jobhistory/{id}/get", "/filesystem/getDirFileTrees", "/filesystem/openFile", "/filesystem/openLog",
        "/user/token-login", "/user/heartbeat", "/user/publicKey", "/user/baseinfo", "/entrance/execute",
        "/entrance/{id}/pause", "/entrance/{id}/progressWithResource", "/entrance/{id}/killJobs", "/gateway/heartbeat",
        "/entrance/operation/metrics/taskinfo", "/entrance/operation/metrics/runningtask",
        "/jobhistory/governanceStationAdmin", "/jobhistory/listundonetasks", "/jobhistory/listundone",
        "/jobhistory/list-taskids", "/jobhistory/job-extra-info", "/jobhistory/listDurationTop",
        "/jobhistory/jobstatistics/taskCount", "/jobhistory/jobstatistics/engineCount",
        "/jobhistory/setting/addObserveInfo", "/jobhistory/setting/deleteObserveInfo", "/filesystem/isExist",
        "/filesystem/fileInfo", "/filesystem/getUserRootPath", "/filesystem/createNewDir", "/filesystem/upload",
        "/filesystem/resultsetToExcel", "/filesystem/resultsetsToExcel",
        "/bml/upload", "/bml/updateVersion", "/bml/download", "/bml/getBasic", "/bml/getVersions", "/bml/getResources",
        "/bml/deleteVersion", "/bml/deleteResource",
    }  # fmt: skip
