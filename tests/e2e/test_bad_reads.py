"""Every route asked with ids, numbers, names and bodies that make no sense: refused by name, and nothing is changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from headgate import Job

from services.entrance.api.bodies import LARGEST_BODY
from services.entrance.wire.queries import MOST_STATUSES
from tests.support.jobs import eventually
from tests.support.rest import PREFIX, Fault, Rest, fault
from tests.support.routes import ARTIFACT, ROUTES, Route

OF_JOBS = [route for route in ROUTES if route.names_a_job]
UNKNOWN = [
    "999999999", "0", "9" * 18, "9" * 19, "-1", "1.5", "1e9", "garbage", "x" * 5000, "exec_id", "exec_id999999",
    "exec_id018014linkis-cg-entrance127.0.0.1:9104IDE_admin_shell_0", "exec_id018003linkis-cg-entrancea:1\0",
    "1' OR '1'='1", "\0", "\u0661", "1/..",
]  # fmt: skip
TEXTS = {
    "status": "Get job by ID error and cannot obtain the corresponding task status."
    "(获取job时发生异常，不能获取相应的任务状态)",
    "progress": "The job corresponding to the ID is empty, and the corresponding task progress cannot be obtained."
    "(ID 对应的job为空，不能获取相应的任务进度)",
    "log": "The job you just executed has ended. This interface no longer provides a query. It is recommended that "
    "you download the log file for viewing.(您刚刚执行的job已经结束，本接口不再提供查询，建议您下载日志文件进行查看)",
    "kill": "Get job by ID error, kill failed.(获取job时发生异常，kill失败)",
    "get": "The corresponding job was not found, or there may be no permission to view the job"
    "(没有找到对应的job，也可能是没有查看该job的权限)",
}
"""What Linkis says of a job that it does not know."""
NOT_WHOLE = ["x", "1.5", "1e3", "--1", "+1", " 1", "1 ", "9" * 30, "9" * 5000, "\0", "٣", "²", "0x10", "NaN", "1;2"]
"""What is no number, and what is too large for one."""
NOT_DATES = ["2026-01-01", "20260101T000000Z", "yesterday", "253402300800000"]
NOT_NAMES = ["x' OR '1'='1", 'x"; DROP TABLE headgate_user; --', "a%", "a b", "\0", "名", "IDE\n", "٣", "x" * 251]
NOT_JSON = [b"nonsense", b"[]", b"null", b"\xff", b'{"a":' * 10_000, b'{"a": ' * 900 + b"1" + b"}" * 900]
ANY_TEXTS = ["x' OR '1'='1", "\0", "\r\nX-Header: 1", "\ufffe\u202e", "x" * 30_000, "%s%n{}", "../..", "true"]


@pytest.fixture(autouse=True)
def asked(rest: Rest) -> None:
    """The artifact that routes are asked about."""
    made = rest.http.post(f"{PREFIX}/bml/upload", data={"name": ARTIFACT}, files={"file": ("a.txt", b"a")})
    assert made.status_code in (200, 409)


def refused_within(route: Route, answer: dict[str, Any]) -> bool:
    """Whether a good answer says that the job is unknown: each of killJobs', or an engine's."""
    if str(route) == "jobKillJobs":
        return all(each["status"] == 1 for each in answer["data"]["messages"])
    return bool(answer["data"]["isError"]) and answer["data"]["errorMsg"].endswith(" not found.")


def without(key: object, said: Fault) -> Fault:
    """A refusal that does not tell which job was asked about."""
    return replace(said, message=said.message.replace(str(key), "?"))


def where(route: Route, job: Job) -> str:
    """The path of the job's result set, or of all of them where the route takes that."""
    location = str(job.history()["resultLocation"])
    return location if str(route) == "resultsetsToExcel" else f"{location}/_0.dolphin"


@pytest.mark.parametrize("route", OF_JOBS, ids=str)
@pytest.mark.parametrize("key", UNKNOWN)
def test_an_unknown_job_is_refused(rest: Rest, route: Route, key: str) -> None:
    reply = route.ask(rest, key)
    if reply.status_code == 200:
        assert refused_within(route, reply.json())
        return
    said = fault(reply)
    if said.http == 404:  # what looks like another route when its path is read
        assert key == "1/.."
        return
    action = route.path.rpartition("/")[2]
    assert said.http in (400, 405) and said.message.startswith(TEXTS.get(action, "")) and len(said.message) < 500


@pytest.mark.parametrize("route", OF_JOBS, ids=str)
def test_another_users_job_looks_unknown(rest_of: Callable[[str], Rest], endless: Job, route: Route) -> None:
    eventually(lambda: endless.status() == "Running", "it runs")
    curious = rest_of("curious")
    for key in (endless.id, endless.history()["strongerExecId"]):
        theirs, unknown = route.ask(curious, key), route.ask(curious, str(endless.id + 10**6))
        assert theirs.status_code == unknown.status_code
        if theirs.status_code == 200:
            assert refused_within(route, theirs.json()) and refused_within(route, unknown.json())
        else:
            assert without(key, fault(theirs)) == without(endless.id + 10**6, fault(unknown))
    assert endless.status() == "Running" and endless.history()["observeInfo"] is None


def test_another_users_jobs_are_neither_counted_nor_found(rest_of: Callable[[str], Rest], endless: Job) -> None:
    curious = rest_of("curious")
    everything = {"proxyUser": "admin", "user": "admin", "isAdminView": "true", "taskID": endless.id}
    for route in (each for each in ROUTES if {"proxyUser", "user", "taskID"} & each.parameters("query").keys()):
        data = route.ask(curious, endless.id, query=everything).json()["data"]
        counts = [value for value in data.values() if isinstance(value, int)]
        assert set(counts) <= {0} and not any(value for value in data.values() if isinstance(value, list)), route
    assert curious.get("/jobhistory/governanceStationAdmin")["admin"] is False


@pytest.mark.parametrize("route", OF_JOBS, ids=str)
def test_a_job_that_has_ended_stays_as_it_is(rest: Rest, ended: Job, route: Route) -> None:
    before = ended.history()
    for key in (ended.id, before["strongerExecId"]):
        assert route.ask(rest, key).status_code == FOR_JOBS_THAT_RUN.get(str(route), 200)
    rest.get("/jobhistory/setting/deleteObserveInfo", taskId=ended.id)
    assert ended.history() == before


FOR_JOBS_THAT_RUN = {"makeSavepoint": 409, "suspendJob": 409, "jobDiagnosis": 409, "disposeSavepoint": 400}
"""What an ended job is refused with; it has no savepoint to dispose of either."""
NUMBERS = [
    (route, place, name, schema)
    for route in ROUTES
    for place in ("query", "path", "header")
    for name, schema in route.parameters(place).items()
    if schema.get("type") == "integer"
]


@pytest.mark.parametrize(("route", "place", "name", "schema"), NUMBERS, ids=[f"{row[0]}-{row[2]}" for row in NUMBERS])
def test_a_number_that_is_none_is_refused_by_its_name(
    rest: Rest, ended: Job, route: Route, place: str, name: str, schema: dict[str, int]
) -> None:
    path = where(route, ended)
    wrong = [*NOT_WHOLE, *(NOT_DATES if name.endswith("Date") else [])]
    wrong += [str(schema["maximum"] + 1)] if "maximum" in schema else []
    for text in wrong:
        if place == "path":
            narrow = Route(route.method, route.path.replace(f"{{{name}}}", text.strip() or "x"), route.said)
            if "\0" in text or text != text.strip():
                continue
            reply = narrow.ask(rest, ended.id)
        elif place == "header":
            if not text.isascii() or "\0" in text or text != text.strip():
                continue
            reply = route.ask(rest, ended.id, headers={name: text})
        else:
            reply = route.ask(rest, ended.id, path=path, query={name: text})
        said = fault(reply)
        assert (said.http, said.field) == (400, name if said.code != 80013 else "path"), (text[:40], said)
    if place == "query":
        for text in ("-1", "0", "007"):
            assert route.ask(rest, ended.id, path=path, query={name: text}).status_code == 200


NAMES = [
    (route, name)
    for route in ROUTES
    for name, schema in route.parameters("query").items()
    if "maxLength" in schema and "A-Za-z0-9" in schema.get("pattern", "")
]
FREE = [
    (route, name)
    for route in ROUTES
    for name, schema in route.parameters("query").items()
    if schema.get("type") == "string" and "pattern" not in schema and name not in ("path", "jobId", "taskId")
]


@pytest.mark.parametrize(("route", "name"), NAMES, ids=str)
def test_sql_in_a_filter_is_refused_by_its_name(rest: Rest, ended: Job, route: Route, name: str) -> None:
    for text in NOT_NAMES:
        said = fault(route.ask(rest, ended.id, query={name: text}))
        assert (said.http, said.code, said.field) == (400, 21304, name) and "letters, digits" in said.message
    assert ended.status() == "Succeed"


@pytest.mark.parametrize(("route", "name"), FREE, ids=str)
def test_any_text_is_taken_or_refused_but_never_breaks(rest: Rest, ended: Job, route: Route, name: str) -> None:
    path = where(route, ended)
    for text in ANY_TEXTS:
        reply = route.ask(rest, ended.id, path=path, query={name: text})
        if reply.status_code != 200:
            assert fault(reply).field in (name, "path")
        elif name == "status" and "totalPage" in reply.json()["data"]:
            assert reply.json()["data"]["totalPage"] == 0
        assert "X-Header" not in reply.headers


def test_more_statuses_than_there_are_are_refused(rest: Rest) -> None:
    many = ",".join(f"S{number}" for number in range(MOST_STATUSES + 1))
    code, field, why = rest.refused("/jobhistory/list", status=many)
    assert (code, field) == (21304, "status") and "Succeed" in why
    assert rest.get("/jobhistory/list", status="Nonsense," * 3000)["totalPage"] == 0


@pytest.mark.parametrize("wrong", ["", " , ", "1,x", ",".join(["1"] * 31), "1;2", "9" * 30])
def test_a_list_of_ids_is_one(rest: Rest, wrong: str) -> None:
    assert rest.refused("/jobhistory/list-taskids", taskID=wrong)[:2] == (21304, "taskID")


@pytest.mark.parametrize("route", [route for route in ROUTES if route.takes_json], ids=str)
def test_a_body_that_is_none_is_refused(rest: Rest, ended: Job, route: Route) -> None:
    def send(content: bytes, kind: str = "application/json") -> tuple[int, int, str | None]:
        said = fault(route.ask(rest, ended.id, content=content, headers={"Content-Type": kind}))
        return said.http, said.code, said.field

    if route.said["requestBody"]["required"]:
        assert send(b"") == send(b" \n") == (400, 20010, "body")
    for content in NOT_JSON:
        assert send(content) == (400, 20010, "body"), content[:20]
    assert send(rb'{"a": {"b": "\u0000"}}') == (400, 20010, "a.b")
    assert send(b"{}", "text/plain") == (415, 20010, "Content-Type")
    assert send(b'"' + b"x" * LARGEST_BODY + b'"') == (413, 20010, "body")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"idList": [], "taskIDList": [1]}, None), ({"idList": "a", "taskIDList": 1}, None), ({}, None),
        ({"idList": [1] * 1001, "taskIDList": [1] * 1001}, "idList"),
    ],
)  # fmt: skip
def test_what_cannot_be_killed_together_is_refused(rest: Rest, body: object, field: str | None) -> None:
    said = fault(rest.http.post(f"{PREFIX}/entrance/0/killJobs", json=body))
    assert (said.http, said.field) == (400, field)


@pytest.mark.parametrize(("method", "route", "code"), [("GET", "/no/such", 404), ("DELETE", "/jobhistory/list", 405)])
def test_even_a_wrong_route_answers_with_the_envelope(rest: Rest, method: str, route: str, code: int) -> None:
    said = fault(rest.http.request(method, PREFIX + route))
    assert (said.http, said.code) == (code, 100008)


def test_whatever_a_route_takes_is_asked() -> None:
    """Here; or where paths, log-ins and submits are tested, which are the same for every route too."""
    elsewhere = {"id", "jobId", "taskId", "taskID", "path", "csvSeparator"}
    asked = {(str(route), name) for route, name in (*NAMES, *FREE, *((row[0], row[2]) for row in NUMBERS))}
    for route in ROUTES:
        for name in {**route.parameters("query"), **route.parameters("path")}:
            assert name in elsewhere or (str(route), name) in asked, (route, name)
        assert ("requestBody" in route.said) == (route.takes_json or route.takes_form)
