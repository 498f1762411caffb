"""What Linkis answers, exchange by exchange, and what we answer to the same: every difference is named here.

The rows in wire/*.json are distilled from a real Linkis 1.8.0: the request, and of its answer the HTTP status, the
envelope's `method`, `status` and `message`, and of `data` each key with its JSON type, or with its value as {"is": …}
where clients read that. Rows about its JDBC engine ask for Flink. `data` is null where the answer was no envelope.
Results of once jobs' operators are told by its source: there was no once engine to ask.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from headgate import Job

from tests.conftest import Service
from tests.support.document import contradictions
from tests.support.jobs import BATCH, eventually
from tests.support.rest import PREFIX

ROWS: list[dict[str, Any]] = [
    row for path in sorted((Path(__file__).parent / "wire").glob("*.json")) for row in json.loads(path.read_text())
]
ENDED = {
    "finished": ("echo one\necho two", "shell-1", "Succeed"),
    "noresult": ("true", "shell-1", "Succeed"),
    "variables": ("echo ${run_date}", "shell-1", "Succeed"),
    "old": ("echo old", "shell-1", "Succeed"),
    "failed": ("echo a\nexit 3", "shell-1", "Failed"),
    "table": (
        "SELECT 1 AS a, 2.50 AS d, 'x' AS b, LOCALTIMESTAMP AS t, CAST(NULL AS STRING) AS n, TRUE AS z, CURRENT_DATE "
        "AS dt UNION ALL SELECT 2, 3.50, 'y', LOCALTIMESTAMP, 'n', FALSE, CURRENT_DATE; SELECT 7 AS `second`",
        "flink-1.20.5",
        "Succeed",
    ),
    "error": ("SELECT * FROM nosuch", "flink-1.20.5", "Failed"),
    "ddl": ("CREATE TABLE lab_t (a INT) WITH ('connector' = 'datagen')", "flink-1.20.5", "Succeed"),
    "many": (
        "CREATE TABLE seq (seq BIGINT) WITH ('connector' = 'datagen', 'fields.seq.kind' = 'sequence', "
        "'fields.seq.start' = '1', 'fields.seq.end' = '6005', 'number-of-rows' = '6005'); SELECT seq FROM seq",
        "flink-1.20.5",
        "Succeed",
    ),
}
"""Jobs that the rows ask about, and how they end."""
ENDLESS = (
    ("running", "IDE"), ("killed", "IDE"), ("victim", "KILL"), ("kill1", "KILL"), ("kill2", "KILL"),
    ("busy1", "BUSY"), ("busy2", "BUSY"), ("queued", "BUSY"), ("dropped", "BUSY"), ("once", "ONCE"),
)  # fmt: skip
"""Jobs that do not end by themselves, and their creators: of each, two may run."""
ONCE = b'{"jobContent": {"runType": "shell", "code": "echo once"}, "runtime": {}, "source": {}, "variable": {}}'
"""A once job."""

DELIBERATE = [
    (r"data\.(trace_id|field): more$", "errors say under which id the log has more, and which field is at fault"),
    (r"data\.stack: lacks$", "no stack is shown"),
    (r"\| an envelope$", "errors of the web framework too are the envelope"),
    (r" (login_no_body|login_query|empty_body|token_login|logout) \| (text|http): ", "no body: an answer"),
    (r"^user login_bad_json \| |^history list_injection \| ", "one form of errors: code and description in errorMsg"),
    (r" (bad_cookie|token_bad|token_no_user|heartbeat_no_cookie) \| (message|method): ", "one text of 401"),
    (r"^user userInfo_no_cookie \| |^user after_logout \| ", "userInfo without a log-in is 401, as everywhere"),
    (r"^auth token_other_user \| ", "userInfo honours tokens"),
    (r"userInfo \| data\.isAdmin: more$", "userInfo says whether one administers"),
    (r"^submit (unknown_runType|unsupported_engine|unsupported_engine_version|engine_not_installed) \| ",
     "what cannot run is refused at submit, listing what there is"),
    (r"^submit missing_executionContent \| data\.errorMsg\.errCode: 20007", "the error names what is missing"),
    (r"^submit userCreator_other_user \| data\.(taskID|execID): more$", "a failed intake names the job it became"),
    (r"^submit dangerous_shell \| ", "no list of forbidden commands: shell is for administrators only"),
    (r"^unknown (status_taskID|bad_instance|garbage_id) \| ", "an id that is no job's never shows a status"),
    (r"^kill kill_finished_noTask \| ", "killing a job that has ended is harmless, whatever its end"),
    (r"^killjobs unknown_ids \| data\.messages\[\]\.(status|message): ", "nothing is said killed that is not known"),
    (r"\.request(Start|End|Spend)(Time)?: null, not int$", "when engines were asked for is told by the job's log"),
    (r"^(history get_failed|table history_error) \| data\.task\.errCode: ", "a failed job has a code"),
    (r"^queue (history|history_after|undone) \| data\.tasks?(\[\])?\.\w+: (str|int), not null$",
     "a job's row is complete from the first"),
    (r"^history job_extra_info \| data\.metricsMap\.\w+: (lacks|more)$", "metrics are of the engine"),
    (r" \| data\.dirFileTrees: dict, not null$", "an empty folder is an empty tree: clients fail at null"),
    (r"^fs openfile_text(_page)? \| data\.metadata: list, not str$", "a text's metadata is a list, as clients expect"),
    (r"^fs (openfile|openlog)_missing \| data\.errorMsg\.errCode: 80013, not 0$", "a missing path has its own code"),
    (r"^bml (upload|updateVersion) \| data\.(name|sha256|size|warnings): more$", "an upload is told by name and sum"),
    (r"^bml upload_header \| ", "fields that have no meaning here are passed over"),
    (r"^bml getVersions \| data\.ResourceVersions\.versions\[\]\.\w+: more$", "so is every version"),
    (r"^bml getBasic \| data\.basic\.(name|versionInfo|sharedWith|usedBy): more$", "who uses an artifact is told"),
    (r"^bml deleteVersion \| ", "a version can be deleted"),
    (r"^bml download_(deleted|missing) \| http: 400, not 500$", "what is not there is no fault of the service"),
    (r"^manager (create|ask)EngineConn \| data\.(taskID|execID): more$", "the job of an engine is told"),
    (r"^manager createEngineConn_\w+ \| ", "what is wrong with a once job is told as of any submit"),
    (r"^manager \w+ \| data\.engine\..*\.mapping(Ports|Host): null, not str$", "what there is not is null"),
    (r"^manager killEngineConn_missing \| ", "an unknown engine is told as one, whatever it is asked"),
    (r"^table openfile_many_p61 \| data\.totalLine: 5, not 0$", "results are not cut at 5000 rows"),
]  # fmt: skip
"""Differences that we want: a pattern of `<row> | <difference>`, and why."""

seen: set[int] = set()
replayed: set[str] = set()


@pytest.fixture(scope="module")
def values(service: Service) -> Iterator[dict[str, str]]:
    """What the braces in the rows stand for: who asks, and jobs in every state."""
    client = service.client()
    jobs = {
        name: client.submit(code, engine=engine, configuration=BATCH if engine != "shell-1" else {})
        for name, (code, engine, _) in ENDED.items()
    }
    for name, job in jobs.items():
        assert job.wait(240) == ENDED[name][2], "\n".join(job.log())
    for name, creator in ENDLESS:
        jobs[name] = client.submit("echo begin; sleep 600", engine="shell-1", creator=creator)
    eventually(lambda: jobs["killed"].status() == "Running", "it runs")
    jobs["killed"].kill()
    assert jobs["killed"].wait(30) == "Cancelled"
    eventually(lambda: jobs["running"].status() == jobs["victim"].status() == "Running", "they run")
    root = service.home / "workspace" / service.user / "wire"  # a folder that other tests leave alone
    (root / "given").mkdir(parents=True, exist_ok=True)
    (root / "given" / "a.sql").write_text("select 1\n")
    yield {
        "user": service.user, "password": service.password, "token": service.token, "now": str(_now()),
        "root": f"file://{root}", "script": f"file://{root}/given/a.sql", "unknown.exec": _exec_id("unknown"),
        **{f"{name}.{what}": value for name, job in jobs.items() for what, value in _of(job).items()},
        "bml.id": _material(service, b"bml-content"), "once.content": f"resource_036{_material(service, ONCE)}v000001",
    }  # fmt: skip
    for job in jobs.values():
        job.kill()


def _material(service: Service, content: bytes) -> str:
    """The id of an artifact that there is."""
    headers, form = {"Token-Code": service.token, "Token-User": service.user}, {"file": ("u.txt", content)}
    reply = httpx2.post(f"{service.url}{PREFIX}/bml/upload", files=form, headers=headers)
    return str(reply.json()["data"]["resourceId"])


def _of(job: Job) -> dict[str, str]:
    task = job.history()
    return {
        "id": str(job.id), "exec": task["strongerExecId"], "results": task["resultLocation"], "log": task["logPath"],
    }  # fmt: skip


@pytest.fixture(scope="module")
def callers(service: Service, values: dict[str, str]) -> Iterator[dict[str, httpx2.Client]]:
    """Who asks: an administrator by cookie or token, another user, and nobody."""
    url = service.url + PREFIX
    token = {"Token-Code": service.token, "Token-User": service.user}
    clients = {name: httpx2.Client(base_url=url) for name in ("admin", "alice", "nobody", "session")}
    clients["token"] = httpx2.Client(base_url=url, headers=token)
    clients["token"].post("/user/create", json={"userName": "alice", "password": "long-enough"})
    passwords = {"admin": (service.user, service.password), "alice": ("alice", "long-enough")}
    for name, (user, password) in passwords.items():
        assert clients[name].post("/user/login", json={"userName": user, "password": password}).status_code == 200
    yield clients
    for client in clients.values():
        client.close()


@pytest.mark.parametrize("row", ROWS, ids=[row["name"] for row in ROWS])
def test_we_answer_as_linkis_but_for_what_is_deliberate(
    row: dict[str, Any], values: dict[str, str], callers: dict[str, httpx2.Client]
) -> None:
    asked = _filled(row, values)
    until = time.monotonic() + (10 if "after" in row["name"] else 0)  # what is killed ends soon, not at once
    while (found := _differences(asked, _ask(asked, callers, values))) and time.monotonic() < until:
        time.sleep(0.2)
    left = []
    for difference in found:
        rule = _rule(row["name"], difference)
        if rule is None:
            left.append(difference)
        else:
            seen.add(rule)
    replayed.add(row["name"])
    assert not left, "\n".join(["we differ:", *left])


def test_what_is_deliberate_still_differs() -> None:
    if len(replayed) == len(ROWS):
        assert [DELIBERATE[rule] for rule in range(len(DELIBERATE)) if rule not in seen] == []


def _rule(name: str, difference: str) -> int | None:
    line = f"{name} | {difference}"
    return next((number for number, (what, _) in enumerate(DELIBERATE) if re.search(what, line)), None)


def _filled(value: Any, values: dict[str, str]) -> Any:
    """A row with its braces filled."""
    match value:
        case str():
            return re.sub(r"\{([a-z0-9]+(?:\.[a-z]+)?)\}", lambda found: values.get(found[1], found[0]), value)
        case list():
            return [_filled(each, values) for each in value]
        case dict():
            return {name: _filled(each, values) for name, each in value.items()}
        case _:
            return value


def _ask(row: dict[str, Any], callers: dict[str, httpx2.Client], values: dict[str, str]) -> httpx2.Response:
    method, _, path = row["request"].partition(" ")
    client = callers[row["as"]]
    if row["as"] == "session":  # logs in anew, since it may log out
        client.cookies.clear()
        client.post("/user/login", json={"userName": values["user"], "password": values["password"]})
    elif row["as"] == "nobody":
        client.cookies.clear()
    if "form" in row:
        return client.request(method, path, data=row["form"], files={"file": ("u.txt", b"hello")})
    if "text" in row or "body" in row:
        content = row["text"] if "text" in row else json.dumps(row["body"])
        headers = {"Content-Type": "application/json", **row.get("headers", {})}
        return client.request(method, path, params=row.get("query"), content=content.encode(), headers=headers)
    return client.request(method, path, params=row.get("query"), headers=row.get("headers"))


def _differences(row: dict[str, Any], reply: httpx2.Response) -> list[str]:
    found = [] if reply.status_code == row["http"] else [f"http: {reply.status_code}, not {row['http']}"]
    found += [f"document: {each}" for each in contradictions(reply)]
    if "text_reply" in row:
        return found if reply.text == row["text_reply"] else [*found, f"text: {reply.text[:60]!r}"]
    told = reply.json()
    if row["data"] is None:
        return [*found, "an envelope"]
    envelope = [name for name in ("method", "status", "message") if name in row and told[name] != row[name]]
    found += [f"{name}: {told[name]!r}, not {row[name]!r}" for name in envelope]
    return [*found, *_unlike("data", row["data"], told["data"])]


def _unlike(where: str, wanted: Any, told: Any) -> Iterator[str]:
    """Where the value told is not of the kind wanted."""
    kind = "null" if told is None else type(told).__name__
    if isinstance(wanted, dict) and set(wanted) == {"is"}:
        if told != wanted["is"] or type(told) is not type(wanted["is"]):
            yield f"{where}: {told!r}, not {wanted['is']!r}"
    elif isinstance(wanted, dict) and isinstance(told, dict):
        yield from (f"{where}.{name}: lacks" for name in wanted.keys() - told.keys())
        yield from (f"{where}.{name}: more" for name in told.keys() - wanted.keys())
        for name in wanted.keys() & told.keys():
            yield from _unlike(f"{where}.{name}", wanted[name], told[name])
    elif isinstance(wanted, list) and isinstance(told, list):
        if len(wanted) > 1 and len(wanted) != len(told):
            yield f"{where}: {len(told)} items, not {len(wanted)}"
        for first, item in zip(wanted, told, strict=False):
            yield from _unlike(f"{where}[]", first, item)
    elif not (isinstance(wanted, str) and kind in wanted.split("|")):
        yield f"{where}: {kind}, not {wanted if isinstance(wanted, str) else type(wanted).__name__}"


def _now() -> int:
    return int(time.time() * 1000)


def _exec_id(short: str) -> str:
    return f"exec_id018014linkis-cg-entrance127.0.0.1:9104{short}"
