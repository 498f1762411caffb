"""The older and rarer routes of /entrance and /jobhistory: other names of what test_routes.py covers, and counts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from headgate import Job

from tests.conftest import Service
from tests.support.jobs import eventually, run
from tests.support.rest import PREFIX, Rest, shape
from tests.support.routes import ALERT

OLD = {"executeApplicationName": "shell-1", "requestApplicationName": "IDE", "executionCode": "echo old"}


def told(rest: Rest, route: str, body: object = None) -> Any:
    """The message and data of a good answer; with a body it is a POST."""
    reply = rest.http.get(PREFIX + route) if body is None else rest.http.post(PREFIX + route, json=body)
    answer = reply.json()
    assert (reply.status_code, answer["status"], answer["method"]) == (200, 0, f"/api{route.partition('?')[0]}"), answer
    return answer["message"], answer["data"]


@pytest.mark.parametrize("route", ["execute", "submit"])
def test_the_older_body_is_taken_by_both_routes(rest: Rest, service: Service, route: str) -> None:
    body = {**OLD, "runType": "shell", "params": {}, "source": {"scriptPath": "/a.sh"}}
    message, data = told(rest, f"/entrance/{route}", body)
    assert message == "OK" and shape(data) == {"taskID": "int", "execID": "str"}
    job = service.client().job(data["taskID"])
    assert job.wait(60) == "Succeed"
    task = job.history()
    assert (task["engineType"], task["requestApplicationName"], task["runType"]) == ("shell", "IDE", "shell")
    assert json.loads(task["sourceJson"])["scriptPath"] == "/a.sh"


def test_a_running_job_has_no_resources_of_yarn_and_is_not_paused(rest: Rest, endless: Job) -> None:
    eventually(lambda: endless.status() == "Running", "it runs")
    _, data = told(rest, f"/entrance/{endless.id}/progressWithResource")
    assert list(data) == ["yarnResource", "progress", "progressInfo", "execID"] and data["yarnResource"] is None
    assert told(rest, f"/entrance/{endless.id}/pause")[0] == "success to pause job (成功pause了job)"
    assert endless.status() == "Running"
    refused = rest.http.get(f"{PREFIX}/entrance/999999999/pause")
    assert (refused.status_code, refused.json()["status"]) == (400, 1)


def test_jobs_are_killed_together(rest: Rest, service: Service) -> None:
    jobs = [service.client().submit("sleep 600", engine="shell-1") for _ in range(2)]
    keys = [jobs[0].history()["strongerExecId"], "exec_id018003linkis-cg-entrancea:1unknown"]
    body = {"idList": keys, "taskIDList": [jobs[0].id, jobs[1].id]}
    message, data = told(rest, f"/entrance/{jobs[0].id}/killJobs", body)
    assert message == "success"
    assert [each["message"] for each in data["messages"]] == ["Successfully killed the job(成功kill了job)"] * 2
    assert [each["method"] for each in data["messages"]] == [f"/api/entrance/{key}/kill" for key in keys]
    assert [job.wait(30) for job in jobs] == ["Cancelled"] * 2
    nobody = {"idList": ["garbage", 7.5], "taskIDList": [999999999, None]}
    for answer in told(rest, "/entrance/0/killJobs", nobody)[1]["messages"]:
        assert (answer["status"], answer["data"]) == (1, {}) and "kill failed" in answer["message"]


def test_unended_jobs_are_counted_and_listed(rest: Rest, endless: Job) -> None:
    eventually(lambda: endless.status() == "Running", "it runs")
    _, some = told(rest, "/entrance/operation/metrics/taskinfo?user=admin&creator=IDE&ecType=shell")
    kinds = {"taskNumber": "int", "runningNumber": "int", "queuedNumber": "int"}
    assert shape(some) == {**kinds, "creatorECTypeMaxRunningJobs": "int", "limitExceeded": "bool"}
    assert some["runningNumber"] >= 1 and some["taskNumber"] == some["runningNumber"] + some["queuedNumber"]
    assert shape(told(rest, "/entrance/operation/metrics/taskinfo")[1]) == kinds
    assert told(rest, "/entrance/operation/metrics/taskinfo?user=nobody")[1]["taskNumber"] == 0
    _, here = told(rest, "/entrance/operation/metrics/runningtask")
    assert here["runningTaskNumber"] >= 1 and here["isCompleted"] is False
    undone = rest.get("/jobhistory/listundonetasks", engineType="shell", status="Running")
    assert endless.id in [task["taskID"] for task in undone["tasks"]]
    assert {task["status"] for task in undone["tasks"]} == {"Running"} and undone["totalPage"] == len(undone["tasks"])
    assert rest.get("/jobhistory/listundonetasks", startTaskID=endless.id + 1)["tasks"] == []
    assert rest.get("/jobhistory/listundone", startTaskID=endless.id) == {"totalPage": 1}


def test_jobs_are_found_by_their_engine_after_the_end_too(rest: Rest, ended: Job) -> None:
    engine = ended.history()["engineInstance"]
    found = rest.get("/jobhistory/list", engineInstance=engine, pageSize=100)["tasks"]
    assert ended.id in [task["taskID"] for task in found] and {task["engineInstance"] for task in found} == {engine}
    assert rest.get("/jobhistory/list", engineInstance="nowhere:1")["tasks"] == []


def test_jobs_are_found_by_many_ids(rest: Rest, ended: Job, service: Service) -> None:
    later = run(service, "echo later", engine="shell-1")
    found = rest.get("/jobhistory/list-taskids", taskID=f"{ended.id}, {later.id},999999999")["jobHistoryList"]
    assert [task["taskID"] for task in found] == [later.id, ended.id]


def test_the_longest_jobs_come_first(rest: Rest, service: Service) -> None:
    run(service, "sleep 2", engine="shell-1")
    tasks = rest.get("/jobhistory/listDurationTop", executeApplicationName="shell", pageSize=5)["tasks"]
    took = [task["costTime"] for task in tasks]
    assert took == sorted(took, reverse=True) and took[0] >= 2000


def test_what_is_known_beside_a_jobs_row(rest: Rest, ended: Job) -> None:
    known = rest.get("/jobhistory/job-extra-info", jobId=ended.id)["metricsMap"]
    assert known["executionCode"] == "echo one; echo 'a,b'" and known["runtime"].endswith(" ms")
    assert known["engineInstance"] == ended.history()["engineInstance"]


def test_what_the_administrator_may(rest: Rest) -> None:
    rights = rest.get("/jobhistory/governanceStationAdmin")
    assert rights.pop("errorMsgTip") and rights == {"admin": True, "historyAdmin": True, "deptAdmin": True}


def test_jobs_and_engines_are_counted_by_their_ends(rest: Rest, ended: Job) -> None:
    counts = rest.get("/jobhistory/jobstatistics/taskCount")
    assert list(counts) == ["sumCount", "succeedCount", "failedCount", "cancelledCount"]
    assert counts["sumCount"] >= sum(list(counts.values())[1:]) and counts["succeedCount"] >= 1
    assert set(rest.get("/jobhistory/jobstatistics/taskCount", endDate=1000).values()) == {0}
    engines = rest.get("/jobhistory/jobstatistics/engineCount", startDate=1000)
    assert list(engines) == ["countEngine", "countEngineSucceed", "countEngineFailed", "countEngineShutting"]
    assert engines["countEngine"] >= 1
    assert set(rest.get("/jobhistory/jobstatistics/engineCount", endDate=1000).values()) == {0}


def test_whom_to_notify_is_kept_with_the_job(rest: Rest, ended: Job) -> None:
    told(rest, "/jobhistory/setting/addObserveInfo", {"taskId": ended.id, **ALERT})
    assert json.loads(ended.history()["observeInfo"]) == {"taskId": ended.id, **ALERT}
    rest.get("/jobhistory/setting/deleteObserveInfo", taskId=ended.id)
    assert ended.history()["observeInfo"] is None
    for name in ALERT:
        wrong = {"taskId": ended.id, **ALERT, name: None}
        code, field, _ = rest.refused("/jobhistory/setting/addObserveInfo", wrong)
        assert (code, field) == (100007, "extra.title" if name == "extra" else name)
    long = {"taskId": ended.id, **ALERT, "receiver": "x" * 500}
    assert rest.refused("/jobhistory/setting/addObserveInfo", long)[:2] == (100007, "observe_info")
    assert rest.http.get(f"{PREFIX}/jobhistory/setting/deleteObserveInfo").status_code == 400


def test_the_gateway_says_that_it_is_there(rest: Rest, service: Service) -> None:
    reply = rest.http.get(f"{PREFIX}/gateway/heartbeat").json()
    assert (reply["method"], reply["message"]) == ("/api/rest_j/v1/gateway/heartbeat", "Gateway heartbeat ok!")
    assert reply["data"] == {"gatewayList": [service.url.removeprefix("http://")], "isHealthy": True}
    rest.http.headers.pop("Token-Code")
    assert rest.http.get(f"{PREFIX}/gateway/heartbeat").status_code == 401
