"""Unlike secrets go in at every door; then everything is searched for them: answers, rows, files, processes, logs."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from headgate import Client, Job

from protocol.entrance import client as entrance_client
from protocol.entrance.v1 import entrance_pb2 as pb
from protocol.values import Tenant
from services.ecm.workdir import run_folder
from tests.conftest import Service, environment, start
from tests.e2e.conftest import Headgate
from tests.support import canaries
from tests.support.canaries import Allowed, Canaries
from tests.support.jobs import eventually
from tests.support.rest import PREFIX
from tests.support.routes import ARTIFACT

SHELL = "shell-1"
OF_JOBS = frozenset(
    ("shell variable", "shell option", "bearer", "url", "variable", "runtime", "startup", "source", "long",
     "short name", "WITH", "SET", "jaas", "data", "grpc", "unicode", "charset", "next line")
)  # fmt: skip
OF_THE_SERVICE = frozenset(("aws", "database url", "token of the service"))
OF_FETCHING = frozenset(("pip", "maven", "maven options"))
WORK = "work"
"""The folder in which an engine works, within that of its connection."""
ALLOWED = (
    Allowed("running", r"row:headgate_job_live|file:headgate\.db(-wal)?", OF_JOBS, "what runs needs its secrets"),
    Allowed("running", r"file:storage/code-to-run/[^/]+", frozenset(["long"]), "long code, until it ends"),
    Allowed("running", rf"file:node/engines/[^/]+/{WORK}/task-\d+-1/script\.sh", OF_JOBS, "bash reads a file"),
    Allowed("ended", r"file:headgate\.db-wal", OF_JOBS, "SQLite's write-ahead log is gone at a stop"),
    Allowed(
        ".*",
        r"file:(storage|node)/.*/results/\d+/(part-\d+\.arrow|\.part)",
        frozenset(["data"]),
        "rows are data that users ask for",
    ),
    Allowed(
        ".*",
        r"rest:/(entrance/\{id\}/results/\{n\}|filesystem/(openFile|resultsets?ToExcel))|cli:run stdout",
        frozenset(["data"]),
        "and so is what shows them",
    ),
    Allowed(
        ".*", r"file:storage/artifacts/.*|rest:/bml/download", frozenset(["artifact"]), "users' files, as they are"
    ),
    Allowed(".*", r"file:credentials\.json", frozenset(["admin's token", "admin's password"]), "its purpose"),
    Allowed(".*", "environ:service", OF_THE_SERVICE | OF_FETCHING, "its own environment, readable by its user only"),
    Allowed(".*", "environ:engine connection", OF_FETCHING, "it fetches engine files, by pip and Maven"),
)  # fmt: skip
NAMES = {"-m services.engineconn": "engine connection", "-m services ": "service"}

SCRIPT = """\
PASSWORD={variable} TOKEN="{option}"
: curl -H "Authorization: Bearer {bearer}" https://u:{url}@localhost/
X=${{password}}
echo "data ${{shown_secret}}"
echo "option $PASSWORD $TOKEN $X {url} {bearer}" >&2
while [ ! -e {gate} ]; do sleep 0.1; done
{end}
"""
SQL = """\
SET 'execution.runtime-mode' = 'batch';
SET 'my.password' = '{set}';
SET;
CREATE TABLE t (id INT) WITH ('connector' = 'nope', 'password' /* c */ = '{with}', 'url' = 'jdbc:mysql://u:{url}@h/db',
  'dbPass' = /* it's */ U&'{unicode}', 'a.token' = -- the token
  _UTF8'{charset}', 'sasKey' = 'part'
  '{next line}',
  'properties.sasl.jaas.config' = 'org.X required username="u" password="{jaas}";');
SHOW CREATE TABLE t;
EXPLAIN SELECT '${{password}}' FROM (VALUES (1));
SELECT '${{shown_secret}}' AS x;
SELECT CAST(CONCAT('${{password}}', x) AS INT) FROM (VALUES ('a'), ('b')) AS v(x);
"""
CHECKED = (
    "CREATE TABLE t (id INT) WITH ('connector'='datagen', 'access.key'='{with}', 'x.secret'='{set}'); SELECT * FROM t"
)
ENDLESS = """\
CREATE TABLE g (id INT) WITH ('connector'='datagen', 'rows-per-second'='2');
SELECT '${{shown_secret}}', id FROM g;
"""


class Canary:
    """A service with secrets in its environment, and what is put into it."""

    def __init__(self, folder: Path) -> None:
        self.birds = Canaries(ALLOWED)
        make = self.birds.make
        in_environment = {
            "AWS_SECRET_ACCESS_KEY": make("aws"),
            "DATABASE_URL": f"mysql://u:{make('database url')}@localhost/db",
            "SOME_TOKEN": make("token of the service"),
            "PIP_INDEX_URL": f"https://u:{make('pip')}@localhost/simple",
            "HEADGATE_MAVEN_REPOSITORY": f"https://u:{make('maven')}@localhost/maven",
            "MAVEN_OPTS": f"-Dhttps.proxyPassword={make('maven options')}",
        }
        self.gate = folder / "gate"
        self.log = folder / "service.log"
        wide = {"HEADGATE_TENANT_RUNNING_JOBS": "6", "HEADGATE_TENANT_ENGINES": "6"}
        arguments = ("--log-level", "DEBUG", "--stop-engines")
        self.service: Service = start(folder / "home", *arguments, **wide, **in_environment)
        self.client: Client = self.service.client()
        self.jobs: list[Job] = []
        self.birds.kinds |= {"admin's token": self.service.token, "admin's password": self.service.password}

    def text(self, template: str, **more: str) -> str:
        kinds = {"variable": "shell variable", "option": "shell option", "with": "WITH", "set": "SET"}
        names = (
            "variable",
            "option",
            "bearer",
            "url",
            "data",
            "with",
            "set",
            "jaas",
            "unicode",
            "charset",
            "next line",
        )
        return template.format(**{name: self.birds.make(kinds.get(name, name)) for name in names}, **more)

    def submit(self, code: str, engine: str) -> Job:
        make = self.birds.make
        body = {
            "executionContent": {"code": code, "runType": "sql" if engine == "flink" else "shell"},
            "labels": {"engineType": engine, "userCreator": "admin-IDE"},
            "params": {
                "variable": {"password": make("variable"), "db_pwd": make("short name"), "shown_secret": make("data")},
                "configuration": {
                    "runtime": {"my.secret.key": make("runtime")},
                    "startup": {"spark.credential": make("startup")},
                },
            },
            "source": {"scriptPath": "/a.sql", "token": make("source")},
        }
        answer = self.post("/entrance/submit", body).json()
        assert answer["status"] == 0, answer
        self.jobs.append(self.client.job(answer["data"]["taskID"]))
        return self.jobs[-1]

    def post(self, route: str, body: object, **headers: str) -> httpx2.Response:
        own = {"Token-Code": self.service.token, "Token-User": self.service.user, **headers}
        return httpx2.post(f"{self.service.url}{PREFIX}{route}", json=body, headers=own)

    def search(self, phase: str) -> None:
        """All that can be read of a service which runs."""
        headers = {"Token-Code": self.service.token, "Token-User": self.service.user}
        with httpx2.Client(base_url=self.service.url, headers=headers, timeout=60) as http:
            tasks = [job.history() for job in self.jobs]
            leave_out = ("/events", "/kill") if phase == "running" else ()  # one lasts until the end, one brings it
            self._search(phase, canaries.answers(http, tasks, leave_out))
        self._search(phase, canaries.rows(self.service.home / "headgate.db"))
        self._search(phase, canaries.files(self.service.home))
        self._search(phase, canaries.processes(NAMES))

    def _search(self, phase: str, places: Iterator[tuple[str, Any]]) -> None:
        for place, content in places:
            self.birds.search(phase, place, content)

    def stop(self) -> None:
        self.client.close()
        process = self.service.process
        process.send_signal(signal.SIGTERM)
        stdout, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        self.birds.search("stopped", "service stdout", stdout)
        self.birds.search("stopped", "service log", self.log.read_bytes())
        self._search("stopped", canaries.files(self.service.home))


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Canary]:
    canary = Canary(tmp_path)
    yield canary
    if canary.service.process.poll() is None:
        canary.stop()


def test_no_secret_is_left_anywhere(canary: Canary, tmp_path: Path) -> None:
    make = canary.birds.make
    shell = canary.text(SCRIPT, gate=str(canary.gate), end="{end}")
    good = canary.submit(shell.replace("{end}", "exit 0"), SHELL)
    bad = canary.submit(shell.replace("{end}", 'echo "login failed: $PASSWORD $X" >&2; exit 3'), SHELL)
    killed = canary.submit(shell.replace("{end}", "sleep 600"), SHELL)
    long = canary.submit(
        f"PASSWORD={make('long')}\n#{' long' * 11_000}\nwhile [ ! -e {canary.gate} ]; do sleep 0.1; done", SHELL
    )
    streaming = canary.submit(canary.text(ENDLESS), "flink")
    for job in (good, bad, killed, long):
        eventually(lambda job=job: job.status() == "Running", "it runs")  # type: ignore[misc]
    eventually(lambda: any("RUNNING" in line for line in streaming.log()), "Flink runs it", 240)
    canary.search("running")
    canary.gate.touch()
    killed.kill()
    streaming.kill()
    checked, sql = canary.submit(canary.text(CHECKED), "flink"), canary.submit(canary.text(SQL), "flink")
    ends = {good: "Succeed", bad: "Failed", killed: "Cancelled", long: "Succeed", streaming: "Cancelled"}
    for job, end in {**ends, checked: "Failed", sql: "Failed"}.items():
        assert job.wait(120) == end, job.log()
    _at_other_doors(canary, tmp_path)
    assert "login failed: *** ***" in bad.history()["errDesc"]
    assert "For input string: '***" in sql.history()["errDesc"]
    assert any("'access.key'='***'" in line for line in checked.log()), checked.log()
    canary.search("ended")
    canary.stop()
    leaks = canary.birds.leaks()
    assert not leaks, "\n".join(map(str, leaks))
    assert canary.birds.unused() == []
    _was_thorough(canary.birds)


def _at_other_doors(canary: Canary, tmp_path: Path) -> None:
    birds, make = canary.birds, canary.birds.make
    login = {"userName": "bird", "password": make("login password")}
    canary.post("/user/create", {**login, "isAdmin": False}).raise_for_status()
    logged_in = canary.post("/user/login", login)
    birds.kinds["ticket"] = logged_in.cookies["linkis_user_session_ticket_id_v1"]
    birds.kinds["token"] = canary.post("/user/token-create", {}).json()["data"]["token"]
    birds.search("ended", "rest:login", logged_in.content)
    wrong = canary.post("/user/login", {**login, "password": make("wrong password")})
    birds.search("ended", "rest:login refused", wrong.content)
    other = canary.post("/entrance/submit", {}, **{"Token-Code": make("wrong token")})
    birds.search("ended", "rest:token refused", other.content)
    _keep_artifact(canary)
    content = {"code": "SELECT ${password+1}", "runType": "sql"}
    variable = {"password": make("variable")}
    for labels in ({"engineType": "flink"}, {"engineType": f"flink-{make('variable')}"[:6] + "nope"}):
        body = {"executionContent": content, "labels": labels, "params": {"variable": variable}}
        refused = canary.post("/entrance/submit", body)
        assert refused.status_code == 400
        birds.search("ended", "rest:submit refused", refused.content)
    birds.search("ended", "grpc:status", asyncio.run(_grpc(canary)))
    own = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "HEADGATE_URL": canary.service.url}
    headgate = Headgate(own | {"HEADGATE_USER": "admin", "HEADGATE_TOKEN": canary.service.token})
    code = canary.text("TOKEN={option} SHOWN_SECRET={data}\necho $SHOWN_SECRET\necho failed with $TOKEN >&2; exit 3")
    out, err = headgate("run", "--engine", SHELL, "-", stdin=code.encode(), code=1)
    assert "failed with ***" in err
    birds.search("ended", "cli:run stdout", out)
    birds.search("ended", "cli:run stderr", err)
    birds.search("ended", "cli:jobs", "".join(headgate("jobs", "-o", "json")))


def _keep_artifact(canary: Canary) -> None:
    """A file with a secret; and one that is refused, whose name and fields hold some."""
    url, headers = (
        f"{canary.service.url}{PREFIX}/bml/upload",
        {"Token-Code": canary.service.token, "Token-User": "admin"},
    )
    secret = f"password={canary.birds.make('artifact')}".encode()
    kept = httpx2.post(url, files={"file": ("a.conf", secret)}, data={"name": ARTIFACT}, headers=headers)
    assert kept.status_code == 200, kept.text
    said = f"password={canary.birds.make('artifact field')}"
    for fields in ({"name": said}, {"sha256": said}, {"resourceId": said, "version": said}):
        route = url.replace("upload", "updateVersion") if "resourceId" in fields else url
        refused = httpx2.post(route, files={"file": (f"{said}.jar", secret)}, data=fields, headers=headers)
        assert refused.status_code == 400
        canary.birds.search("ended", "rest:upload refused", refused.content)


async def _grpc(canary: Canary) -> str:
    stub = entrance_client.connect(f"unix:{run_folder(canary.service.home)}/service-entrance.sock")
    code = "SELECT CAST('${password}' || x AS INT) FROM (VALUES ('a')) AS v(x)"
    request = pb.TaskRequest(
        tenant=Tenant("admin", "IDE").message(), engine="flink", run_type="sql", code=code,
        variables={"password": canary.birds.make("grpc")}, configuration={"execution.runtime-mode": "batch"},
    )  # fmt: skip
    taken = await stub.SubmitTask(request)
    canary.jobs.append(canary.client.job(taken.task_id))
    await asyncio.to_thread(canary.jobs[-1].wait, 120)
    status = await stub.GetTaskStatus(pb.TaskStatusRequest(task_id=taken.task_id, user="admin"))
    await stub.channel.close()
    assert status.status == "Failed" and "***" in status.error_desc
    return str(status)


def _was_thorough(birds: Canaries) -> None:
    """The search saw what it was to see."""
    by_kind: dict[str, set[str]] = {}
    for place in birds.searched:
        kind, _, name = place.partition(":")
        by_kind.setdefault(kind, set()).add(name)
    assert len(by_kind["rest"]) > 30 and len(by_kind["row"]) > 8, by_kind
    assert {"service", "engine connection", "other"} <= by_kind["environ"] & by_kind["cmdline"]
    for part in (
        "headgate.db",
        "node/ledger.jsonl",
        "/events",
        "/log",
        "/flink.log",
        "/stderr",
        "/spec.json",
        "/1/code",
    ):
        assert any(part in name for name in by_kind["file"]), part


@pytest.mark.parametrize(
    ("name", "value"),
    [("HEADGATE_DATABASE", "mysql://u:{}@localhost/db"), ("HEADGATE_STORAGE", "S3://u:{}@bucket/x")],
)
def test_a_wrong_setting_is_told_without_its_secret(tmp_path: Path, name: str, value: str) -> None:
    secret = Canaries(()).make("setting")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "services"], env=environment(tmp_path / "home", **{name: value.format(secret)}),
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1 and name in done.stderr and secret not in done.stdout + done.stderr
