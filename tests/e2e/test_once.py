"""Once jobs: Linkis' Java client creates an engine for a job, watches, asks and ends it; it is a job like any other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from headgate import Job

from tests.conftest import Service, start, stop
from tests.support.jobs import eventually
from tests.support.once import COMPLETED, RUNNING, OnceClient
from tests.support.rest import PREFIX, Rest, fault

STREAM = "log INFO begun\nlog WARN careful\nprogress 0.5\nsleep 600"


@pytest.fixture(scope="module")
def keeping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    fake = {"HEADGATE_ENGINES": "shell,flink", "HEADGATE_ENGINE_MODULES": "shell=tests.support.fake_engine"}
    service = start(tmp_path_factory.mktemp("once") / "home", "--stop-engines", **fake)
    yield service
    assert stop(service) == 0


@pytest.fixture
def once(keeping: Service) -> Iterator[OnceClient]:
    client = OnceClient(keeping)
    yield client
    if client.data:
        client.kill()
        assert job_of(keeping, client).wait(30) in ("Succeed", "Failed", "Cancelled")
    client.close()


@pytest.fixture
def rest(keeping: Service) -> Iterator[Rest]:
    rest = Rest(keeping)
    yield rest
    rest.http.close()


@pytest.fixture
def ben(keeping: Service, rest: Rest) -> Iterator[OnceClient]:
    """Another user."""
    rest.http.post(f"{PREFIX}/user/create", json={"userName": "ben", "password": "long enough"})
    made = rest.http.post(f"{PREFIX}/user/token-create", json={"legalUsers": ["ben"]}).json()
    client = OnceClient(keeping, "ben", made["data"]["token"])
    yield client
    client.close()


def job_of(service: Service, once: OnceClient) -> Job:
    return service.admin.job(int(once.data["taskID"]))


def runs(service: Service, once: OnceClient, code: str = STREAM, **more: Any) -> Job:
    """The job, once it is at work."""
    once.submit(code, **more)
    job = job_of(service, once)
    eventually(lambda: any(" begun" in line for line in job.log()) and job.status() == "Running", "it runs")
    return job


def test_the_java_client_runs_a_once_job(keeping: Service, once: OnceClient) -> None:
    info = once.submit("log INFO begun\nrows 3")
    assert info["nodeStatus"].lower() not in COMPLETED and info["ecAsyncStartResult"] == "success"
    eventually(lambda: once.status().lower() in RUNNING | COMPLETED, "it runs, or has ended")
    eventually(lambda: once.status().lower() in COMPLETED, "it ends")
    assert once.status() == "Success", "readable after its end too"
    task = job_of(keeping, once).history()
    assert (task["status"], task["requestApplicationName"], task["runType"]) == ("Succeed", "Streamis", "shell")
    assert {"executeOnce:", f"engineType:{once.engine_type}"} <= set(task["labels"])
    assert once.data["execID"] == task["strongerExecId"] == info["serviceInstance"]["instance"]
    assert json.loads(task["sourceJson"])["jobName"] == "x"
    assert once.operate("engineConnProgress") == {"progress": 1.0, "progressInfo": []}


def test_its_log_is_read_page_by_page(once: OnceClient, keeping: Service) -> None:
    once.submit("log INFO begun\nchat 7\nlog WARN careful")
    job = job_of(keeping, once)
    assert job.wait(30) == "Succeed"
    lines, first = [], 1
    while (page := once.log(fromLine=first, pageSize=3))["rows"]:
        assert page["endLine"] == first + page["rows"] - 1
        lines, first = [*lines, *page["logs"]], page["endLine"] + 1
    assert lines == job.log() and page["endLine"] == len(lines)
    assert once.log("executeECMOperationByEC", pageSize=3)["logs"] == lines[:3]
    assert once.log(lastRows=2)["logs"] == lines[-2:]
    only = once.log(onlyKeywords="chat,careful", ignoreKeywords="chat 3", pageSize=5)
    assert [line.partition("chat ")[2] for line in only["logs"]] == ["0", "1", "2", "4", "5"]
    assert once.log(onlyKeywords="chat", fromLine=only["endLine"] + 1)["logs"][0].endswith("chat 6")


def test_what_a_running_job_is_asked(keeping: Service, once: OnceClient) -> None:
    job = runs(keeping, once, runtime={"flink.app.name": "a stream"})
    assert once.status() == "Running"
    told = once.operate("engineConnProgress")
    assert type(told["progress"]) is float and type(told["progressInfo"]) is list

    def metrics() -> dict[str, object]:
        return dict(once.operate("engineConnMetrics")["metrics"])

    eventually(lambda: metrics() == json.loads(job.history()["metrics"]), "they are those of the history")
    assert metrics()["engineInstance"]
    assert once.operate("status", applicationId=str(job.id)) == {"nodeStatus": "Running", "applicationId": str(job.id)}
    application = once.operate("engineConnYarnApplication")
    assert {type(value) for value in application.values()} == {str} and application["applicationId"] == str(job.id)
    assert "errCode: 101007 ,desc: the fake engine has no diagnosis" in once.failed("engineConnDiagnosis")


def test_list_tells_the_users_once_jobs(keeping: Service, once: OnceClient) -> None:
    other = keeping.admin.submit("rows 1", engine="shell-1")
    job = runs(keeping, once, runtime={"flink.app.name": "a stream"})

    def listed(**parameters: object) -> dict[str, dict[str, str]]:
        told = json.loads(once.operate("list", **parameters)["yarnAppResultList"])
        return {each["applicationId"]: each for each in told}

    assert listed()[str(job.id)] == {
        "appicationName": "a stream", "yarnAppType": "shell", "applicationId": str(job.id), "applicationUrl": "",
        "nodeStatus": "Running",
    }  # fmt: skip
    assert str(job.id) in listed(yarnAppTypeList=["Shell"], yarnAppStateList=["RUNNING"], appicationName="stream")
    for none in ({"yarnAppTypeList": ["spark"]}, {"yarnAppStateList": ["ACCEPTED"]}, {"appicationName": "river"}):
        assert str(job.id) not in listed(**none)
    other.wait(30)
    assert str(other.id) not in listed(yarnAppStateList=["FINISHED"]), "it has no engine of its own"
    once.kill()
    job.wait(30)
    assert listed(yarnAppStateList=["KILLED"])[str(job.id)]["nodeStatus"] == "ShuttingDown"
    assert "yarnAppStateList takes NEW" in once.failed("list", yarnAppStateList=["GONE"])
    assert "must be a list of texts" in once.failed("list", yarnAppTypeList="flink")


@pytest.mark.parametrize(("mode", "status", "kind"), [
    ("trigger", "Running", "savepoint"), ("stop", "Succeed", "suspend"), ("cancel", "Cancelled", "savepoint"),
])  # fmt: skip
def test_a_savepoint_in_each_mode(keeping: Service, once: OnceClient, mode: str, status: str, kind: str) -> None:
    job = runs(keeping, once)
    told = once.operate("doSavepoint", savepointPath="/wanted", applicationId=str(job.id), mode=mode)
    (made,) = job.savepoints()
    assert told == {"writtenSavepoint": made.path} and made.kind == kind and Path(made.path).exists()
    eventually(lambda: job.status() == status, f"it is {status}")
    if mode != "trigger":
        assert f"is {status}: " in once.failed("doSavepoint", mode="trigger")


def test_another_once_job_goes_on_from_its_savepoint(keeping: Service, once: OnceClient) -> None:
    job = runs(keeping, once)
    once.operate("doSavepoint", mode="stop")
    job.wait(30)
    later = runs(keeping, once, runtime={"headgate.resume": str(job.id)})
    assert any(line.endswith(f" goes on from state of job {job.id}") for line in later.log())


def test_kill_with_and_without_a_savepoint(keeping: Service, once: OnceClient) -> None:
    job = runs(keeping, once)
    said = once.operate("kill", applicationId=str(job.id), snapshot="true", savepointPath="/wanted")
    assert said == {"msg": f"Try to kill job {job.id}; its savepoint is {job.savepoints()[0].path}"}
    assert job.wait(30) == "Cancelled" and once.status() == "ShuttingDown"
    assert once.operate("kill") == {"msg": f"job {job.id} has ended as Cancelled"}
    again = runs(keeping, once)
    assert once.operate("kill") == {"msg": f"Try to kill job {again.id}"}
    assert again.wait(30) == "Cancelled" and again.savepoints() == []


def test_a_job_that_fails(keeping: Service, once: OnceClient) -> None:
    once.submit("fail no luck")
    assert job_of(keeping, once).wait(30) == "Failed" and once.status() == "Failed"
    assert once.operate("engineConnMetrics")["metrics"]["engineInstance"], "what it did can be asked after its end too"


def test_kill_engine_conn_ends_the_job(keeping: Service, once: OnceClient) -> None:
    job = runs(keeping, once)
    once.kill()
    assert job.wait(30) == "Cancelled" and once.status() == "ShuttingDown"
    once.kill()
    assert job.status() == "Cancelled"


def test_what_cannot_be_done_says_why(keeping: Service, once: OnceClient) -> None:
    job = runs(keeping, once)
    assert once.failed("fly").startswith("errCode: 20030 ,desc: Cannot find operator named fly; there are: status, ")
    assert once.failed("").startswith("errCode: 20031 ,desc: parameters.__operator_name__ is missing")
    assert once.failed("doSavepoint").startswith("errCode: 20031 ,desc: parameters.mode is missing")
    assert "mode must be trigger, cancel, stop, not 'pause'" in once.failed("doSavepoint", mode="pause")
    assert f"whose application is {job.id}" in once.failed("kill", applicationId="application_1_1")
    node = {"parameters": {"__operator_name__": "engineConnYarnLog", "ticketId": str(job.id)}}
    assert "named engineConnYarnLog; there are: engineConnLog" in once.good("executeECMOperation", node)["errorMsg"]
    node = {"parameters": {"__operator_name__": "engineConnLog", "ticketId": str(job.id), "fromLine": "x"}}
    assert "parameters.fromLine must be a whole number" in once.good("executeECMOperation", node)["errorMsg"]
    assert job.status() == "Running"


def test_another_users_engine_looks_unknown(keeping: Service, once: OnceClient, ben: OnceClient) -> None:
    job = runs(keeping, once)
    for theirs in (once.data, {"engine": {"serviceInstance": {"applicationName": "a", "instance": "127.0.0.1:1"}}}):
        ben.data, where = theirs, theirs["engine"]["serviceInstance"]
        unknown = f"ServiceInstance({where['applicationName']}, {where['instance']}, 0)"
        for action in ("getEngineConn", "killEngineConn"):
            assert ben.post(action, ben.named()).json()["message"] == f"Instance does not exist {unknown}"
        for operator in ("status", "kill", "doSavepoint", "list"):
            assert ben.failed(operator, mode="stop") == f"Ec : {unknown} not found."
    asked = {"__operator_name__": "engineConnLog", "ticketId": str(job.id)}
    assert ben.good("executeECMOperation", {"parameters": asked})["errorMsg"].endswith(" not found.")
    content = once.upload({"jobContent": {"runType": "shell", "code": "rows 1"}})
    assert fault(ben.post("createEngineConn", ben.body(content))).code == 104000, "nor is his content theirs"
    assert job.status() == "Running" and job.savepoints() == []


def refused(once: OnceClient, content: object, **startup: str) -> tuple[int, str | None, str]:
    said = fault(once.post("createEngineConn", once.body(once.upload(content), **startup)))
    return said.http, said.field, said.message


def test_content_that_is_no_job_is_refused(once: OnceClient) -> None:
    job = {"runType": "shell", "code": "rows 1"}
    where = "properties.onceExecutorContent"
    for wrong in (b"nonsense", b"[]", b"\xff", b'{"a":' * 200):
        assert refused(once, wrong)[:2] == (400, where)
    assert refused(once, b'{"a": {"b": "\\u0000"}}')[1] == "a.b"
    assert refused(once, {})[1] == "executionContent.code"
    assert refused(once, {"jobContent": {"runType": "shell"}})[1] == "executionContent.code"
    assert refused(once, {"jobContent": "rows 1"})[1] == "jobContent"
    assert refused(once, {"jobContent": {**job, "runType": "python"}})[1] == "executionContent.runType"
    assert refused(once, {"jobContent": {**job, "variable": "x"}})[1] == "jobContent.variable"
    assert refused(once, {"jobContent": job, "variable": {"a": []}})[1] == "params.variable.a"
    assert refused(once, {"jobContent": job, "runtime": []})[1] == "runtime"
    body = once.body("resource_036nothing")
    assert fault(once.post("createEngineConn", body)).field == where
    body = once.body("resource_0361c8b78e1-ea12-4fa5-9637-ddc9e9a25baev000001")
    assert (said := fault(once.post("createEngineConn", body))).field == where and said.code == 104000
    for lacking in ({}, {"properties": {}}, {"properties": None}):
        assert fault(once.post("createEngineConn", lacking)).field == where
    assert fault(once.post("createEngineConn", {"properties": []})).field == "properties"
    body = once.body(once.upload({"jobContent": job}))
    assert fault(once.post("createEngineConn", {**body, "labels": {}})).field == "labels.engineType"
    assert fault(once.post("createEngineConn", {**body, "labels": []})).field == "labels"


def test_a_repeated_create_with_a_key_is_the_same_job(once: OnceClient) -> None:
    body = once.body(once.upload({"jobContent": {"code": "rows 1"}}))
    headers = {"Idempotency-Key": "once and only once"}
    made = [
        once.http.post(f"/linkisManager/{action}", json=body, headers=headers).json()["data"]["taskID"]
        for action in ("createEngineConn", "askEngineConn")
    ]
    assert made[0] == made[1]


def test_submit_takes_the_same_path_by_its_label(keeping: Service, once: OnceClient, rest: Rest) -> None:
    content = {"code": STREAM, "runType": "shell"}
    labels = {"engineType": "shell-1", "engineConnMode": "once", "userCreator": f"{keeping.user}-Streamis"}
    body = {"executionContent": content, "labels": labels}
    told = rest.http.post(f"{PREFIX}/entrance/submit", json=body).json()["data"]
    once.data = {"engine": {"serviceInstance": {"applicationName": "", "instance": told["execID"]}, "ticketId": ""}}
    once.data |= told
    eventually(lambda: once.status() == "Running", "it runs")
    assert "executeOnce:" in job_of(keeping, once).history()["labels"]
    engine = once.operate("engineConnMetrics")["metrics"]["engineInstance"]
    usual = keeping.admin.submit("rows 1", engine="shell-1", creator="Streamis")
    assert usual.wait(60) == "Succeed" and usual.history()["engineInstance"] != engine
