"""The `headgate` command and the SDK against a real service, as their users meet them."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from headgate import Client, Job
from headgate.asynchronous import ENDED, PAGE_ROWS
from headgate.follow import EXIT

from services.entrance.events import QUIET_SECONDS
from tests.conftest import Service
from tests.e2e.conftest import COMMAND, Headgate
from tests.support.jobs import eventually

SHELL = ("--engine", "shell-1")
FORMS = ("table", "json", "csv")
FREE_PORT = 1  # nobody listens there


ROWS = [["one"], ["a,b"]]
CODE = "echo one; echo 'a,b'"
COMMANDS: dict[str, tuple[tuple[str, ...], list[str], Callable[[Any], bool]]] = {
    "run": (("run", *SHELL, "-e", CODE), ["line"], lambda said: said["results"][0]["rows"] == ROWS),
    "submit": (("submit", *SHELL, "-e", CODE), ["taskID"], lambda said: int(said["taskID"]) > 0),
    "status": (("status", "{job}"), ["status"], lambda said: said == {"status": "Succeed"}),
    "progress": (("progress", "{job}"), ["progress"], lambda said: said == {"progress": 1.0}),
    "log": (("log", "{job}"), ["line"], lambda said: any(line["line"].endswith("INFO a,b") for line in said)),
    "log -f": (("log", "-f", "{job}"), ["line"], lambda said: "status Success" in said[-1]["line"]),
    "kill": (("kill", "{job}"), ["killed"], lambda said: int(said["killed"]) > 0),
    "results": (("results", "{job}"), ["line"], lambda said: said["results"][0]["rows"] == ROWS),
    "jobs": (("jobs",), ["taskID", "status"], lambda said: len(said) <= 20 and said[0]["engineType"] == "shell"),
    "login": (("login", "--password", "-"), ["saved"], lambda said: Path(said["saved"]).is_file()),
    "users add": (
        ("users", "add", "user_{form}", "--password", "-"),
        ["created"],
        lambda said: said == {"created": "user_json"},
    ),
    "users list": (("users", "list"), ["userName", "isAdmin", "tokens"], lambda said: said[0]["userName"] == "admin"),
    "users passwd": (
        ("users", "passwd", "user_{form}", "--password", "-"),
        ["changed"],
        lambda said: said == {"changed": "user_json"},
    ),
    "users admin": (
        ("users", "admin", "user_{form}", "--no"),
        ["changed"],
        lambda said: said == {"changed": "user_json"},
    ),
    "users token": (("users", "token", "--days", "1"), ["id", "token"], lambda said: len(said["token"]) > 30),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_prints_every_form(
    headgate: Headgate, service: Service, ended: Job, command: str, form: str
) -> None:
    arguments, columns, right = COMMANDS[command]
    filled = [text.format(job=ended.id, form=form) for text in arguments]
    out, _ = headgate(*filled, "-o", form, stdin=f"{service.password}\n".encode())
    if form == "json":
        assert right(json.loads(out))
    elif form == "csv":
        header, *rows = csv.reader(io.StringIO(out))
        assert header[: len(columns)] == columns
        assert rows and all(len(row) == len(header) for row in rows)
    else:
        assert out.strip() and "{" not in out


def test_code_comes_inline_from_a_file_and_from_standard_input(headgate: Headgate, tmp_path: Path) -> None:
    (tmp_path / "script.sh").write_text("echo 'from é file'")
    for source, stdin, expected in (
        (("-e", "echo inline"), "", "inline"),
        ((str(tmp_path / "script.sh"),), "", "from é file"),
        (("-",), "echo 'from é input'", "from é input"),
    ):
        out, _ = headgate("run", *SHELL, *source, "-o", "csv", stdin=stdin.encode())
        assert out == f"line\n{expected}\n"


def test_variables_are_filled_in_and_settings_are_the_runtime_configuration(headgate: Headgate) -> None:
    more = ("--var", "who=me", "--var", "n=1", "--set", "a=b=c")
    out, _ = headgate("run", *SHELL, "-e", "echo ${who} ${n+1}", *more, "-o", "json")
    said = json.loads(out)
    assert said["results"][0]["rows"] == [["me 2"]]
    client = Client(*(headgate.environment[f"HEADGATE_{name}"] for name in ("URL", "USER", "TOKEN")))
    params = json.loads(client.job(said["job"]).history()["paramsJson"])
    client.close()
    assert params["configuration"]["runtime"] == {"a": "b=c"}
    assert params["variable"] == {"who": "me", "n": "1"}


def test_sql_results_with_null_an_empty_set_and_a_setting(headgate: Headgate, service: Service) -> None:
    code = """SELECT b, COUNT(*) AS c FROM (VALUES (1, 'x'), (2, 'x')) AS t(a, b) GROUP BY b;
    SELECT CAST(NULL AS INT) AS n, 'LINKIS_NULL' AS s, '' AS e;
    SELECT a FROM (VALUES (1)) AS t(a) WHERE a > 1"""
    out, _ = headgate("run", "-e", code, "--set", "execution.runtime-mode=batch", "-o", "json")
    said = json.loads(out)
    # streaming, the default, would add the rows' kind
    assert [found["rows"] for found in said["results"]] == [[["x", "2"]], [[None, "LINKIS_NULL", ""]], []]
    assert said["results"][2]["columns"] == [{"name": "a", "type": "int"}]
    out, _ = headgate("results", str(said["job"]), "-o", "csv")
    assert out == "b,c\nx,2\n\nn,s,e\n,LINKIS_NULL,\n\na\n"
    out, _ = headgate("results", str(said["job"]))
    assert "NULL" in out and "Result 2" in out
    sets = [list(found.rows()) for found in service.client().job(said["job"]).results()]
    assert sets == [[["x", "2"]], [[None, "LINKIS_NULL", ""]], []]


@pytest.mark.parametrize("form", FORMS)
def test_max_rows_cuts_and_says_so(headgate: Headgate, form: str) -> None:
    out, err = headgate("run", *SHELL, "-e", "seq 101 105", "--max-rows", "2", "-o", form)
    assert re.findall(r"10\d", out) == ["101", "102"]
    assert "has more than 2 rows" in err
    job = re.search(r"headgate results (\d+)", err)
    assert job is not None
    out, err = headgate("results", job[1], "--max-rows", "5", "-o", form)
    assert len(re.findall(r"10\d", out)) == 5 and not err


def test_more_than_a_page_of_rows_is_read_whole(headgate: Headgate, service: Service) -> None:
    count = 2 * PAGE_ROWS + 1
    job = service.client().submit(f"seq {count}", engine="shell-1")
    assert job.wait(60) == "Succeed"
    expected = [[str(number)] for number in range(1, count + 1)]
    (found,) = job.results()
    assert list(found.rows()) == expected
    assert list(found.rows(PAGE_ROWS + 1)) == expected[: PAGE_ROWS + 1]
    out, err = headgate("results", str(job.id), "--max-rows", "20000", "-o", "csv")
    assert list(csv.reader(io.StringIO(out))) == [["line"], *expected] and not err
    lines, _ = headgate("log", str(job.id))
    assert re.findall(r" INFO (\d+)$", lines, re.MULTILINE) == [row[0] for row in expected]


def test_a_pipe_gets_plain_lines_and_only_data_on_stdout(headgate: Headgate) -> None:
    odd = r"[red]x[/foo] :smile: \033[31m"
    wide = "w" * 300
    out, err = headgate("run", *SHELL, "-e", f"printf '%b\\n' '{odd}' {wide}; echo oops >&2")
    assert r"[red]x[/foo] :smile: \x1b[31m" in out and wide in out
    assert "oops" not in out and " WARN oops" in err
    assert re.search(r"^job \d+ Succeed 100%$", err, re.MULTILINE)
    assert re.search(rf"^\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{{3}} INFO {wide}$", err, re.MULTILINE)
    out, err = headgate("run", *SHELL, "-q", "-e", "echo quiet")
    assert "quiet" in out and "INFO" not in err


def test_the_exit_code_tells_how_it_ended(headgate: Headgate, tmp_path: Path) -> None:
    out, err = headgate("run", *SHELL, "-e", "echo partly; exit 7", "-o", "csv", code=1)
    assert out == "line\npartly\n"
    assert re.search(r"^job \d+ Failed: The shell ended with exit code 7", err, re.MULTILINE)
    (tmp_path / "latin").write_bytes(b"\xe9")
    for arguments, said in (
        (("run",), "either a FILE or -e"),
        (("run", "-e", "x", "file"), "either a FILE or -e"),
        (("run", "-e", "x", "--var", "novalue"), "'novalue' is not k=v"),
        (("run", str(tmp_path / "missing")), "missing"),
        (("run", str(tmp_path / "latin")), "utf-8"),
        (("status",), "Missing argument"),
        (("status", "1", "-o", "xml"), "xml"),
        (("nothing",), "No such command"),
        (("users", "add", "somebody"), "Password was not given"),
        (("users", "passwd", "--password", "a secret"), "no file"),
        (("users", "passwd", "--password", str(tmp_path / "latin")), "no file"),
        (("users", "passwd", "--password", os.devnull), "Old password was not given"),
    ):
        out, err = headgate(*arguments, code=2)
        assert said in err and not out
    for arguments, said in (
        (("run", "-e", "x", "--engine", "nope"), "there is no engine 'nope'"),
        (("status", "999999"), "Get job by ID error"),
        (("results", "999999"), "Get job by ID error"),
    ):
        out, err = headgate(*arguments, code=5)
        assert said in err and err.startswith("headgate: ") and err.count("\n") == 1 and not out
    assert EXIT["Timeout"] == 4 and set(EXIT) == ENDED


def test_a_killed_job_ends_with_3(headgate: Headgate, service: Service) -> None:
    command = subprocess.Popen(
        [*COMMAND, "run", *SHELL, "-e", "sleep 600", "-o", "json"],
        env=headgate.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert command.stderr is not None
    job = next(match[1] for line in command.stderr if (match := re.match(r"job (\d+) Running", line)))
    headgate("kill", job)
    out, err = command.communicate(timeout=60)
    assert command.returncode == 3
    assert json.loads(out)["status"] == "Cancelled" and f"job {job} Cancelled: " in err
    assert headgate("status", job)[0] == "Cancelled\n"
    headgate("kill", job)


def test_ctrl_c_without_a_terminal_lets_the_job_go_on(headgate: Headgate, service: Service) -> None:
    command = subprocess.Popen(
        [*COMMAND, "run", *SHELL, "-e", "echo begin; sleep 600"],
        env=headgate.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert command.stderr is not None
    # after these two there is no news
    said = ""
    while not (found := re.search(r"^job (\d+) Running", said, re.MULTILINE)) or "INFO begin" not in said:
        said += command.stderr.readline()
    job = service.client().job(found[1])
    eventually(lambda: psutil.Process(command.pid).status() == psutil.STATUS_SLEEPING, "it waits for news")
    pressed = time.monotonic()
    command.send_signal(signal.SIGINT)
    out, err = command.communicate(timeout=60)
    assert command.returncode == 130 and not out
    assert time.monotonic() - pressed < QUIET_SECONDS / 2  # not only when there is news
    assert f"job {job.id} goes on" in err and f"headgate kill {job.id}" in err
    assert job.status() == "Running"
    job.kill()
    assert job.wait(30) == "Cancelled"


def test_log_f_shows_lines_as_they_come(headgate: Headgate, endless: Job) -> None:
    command = subprocess.Popen(
        [*COMMAND, "log", "-f", str(endless.id), "-o", "csv"],
        env=headgate.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert command.stdout is not None
    assert any(line.endswith("INFO begin\n") for line in command.stdout)
    assert command.poll() is None
    command.send_signal(signal.SIGINT)
    command.communicate(timeout=60)
    assert command.returncode == 130


def test_jobs_pages_and_chooses_by_status(headgate: Headgate, ended: Job) -> None:
    def listed(*arguments: str) -> list[dict[str, Any]]:
        return json.loads(headgate("jobs", "-o", "json", *arguments)[0])  # type: ignore[no-any-return]

    first, second = listed("--page-size", "1"), listed("--page-size", "1", "--page", "2")
    assert len(first) == len(second) == 1 and first[0]["taskID"] > second[0]["taskID"]
    assert {job["status"] for job in listed("--status", "Failed")} <= {"Failed"}
    assert str(ended.id) in {str(job["taskID"]) for job in listed("--status", "Succeed", "--page-size", "1000")}


def test_a_login_is_kept_and_used_until_it_ends(nobody: Headgate, service: Service, ended: Job) -> None:
    _, err = nobody("status", str(ended.id), code=5)
    assert "no service is known: give --url, set HEADGATE_URL, or start one with 'make up'" in err
    _, err = nobody("status", str(ended.id), "--url", service.url, code=5)
    assert f"not logged in at {service.url}: run 'headgate login'" in err
    _, err = nobody("login", "--url", service.url, "--user", "admin", "--password", "-", code=5, stdin=b"wrong\n")
    assert "wrong user name or password" in err

    out, _ = nobody("login", stdin=f"{service.url}/\nadmin\n{service.password}\n".encode())
    path = Path(out.strip())  # the questions are not on stdout
    assert path == Path(nobody.environment["HOME"]) / ".config/headgate/credentials.json"
    assert path.stat().st_mode & 0o777 == 0o600 and service.password not in path.read_text()
    assert nobody("status", str(ended.id))[0] == "Succeed\n"
    _, err = nobody("status", str(ended.id), "--user", "bob", code=5)
    assert "not logged in" in err and "as bob" in err

    ticket = json.loads(path.read_text())["ticket"]
    cookie = {"Cookie": f"linkis_user_session_ticket_id_v1={ticket}"}
    httpx2.post(f"{service.url}/api/rest_j/v1/user/logout", headers=cookie).raise_for_status()
    _, err = nobody("status", str(ended.id), code=5)
    assert "does not take the log-in of admin" in err and "headgate login" in err
    _, err = nobody("status", "1", code=5, HEADGATE_URL=service.url, HEADGATE_USER="admin", HEADGATE_TOKEN="revoked")
    assert "does not take the token of admin" in err and "headgate login" in err


def test_a_stale_login_does_not_shadow_a_local_service(nobody: Headgate, service: Service, ended: Job) -> None:
    saved = Path(nobody.environment["HOME"]) / ".config/headgate/credentials.json"
    saved.parent.mkdir(parents=True)
    stale = f"http://127.0.0.1:{FREE_PORT}"
    saved.write_text(json.dumps({"url": stale, "user": "admin", "ticket": "old"}))
    status = ("status", str(ended.id))
    _, err = nobody(*status, code=5, HEADGATE_HOME=str(service.home))
    assert f"nothing answers at {stale} (named by {saved})" in err and "is the service up?" in err
    assert nobody(*status, HEADGATE_HOME=str(service.home), HEADGATE_URL=service.url)[0] == "Succeed\n"
    saved.unlink()
    assert nobody(*status, HEADGATE_HOME=str(service.home))[0] == "Succeed\n"


def test_a_proxy_is_for_the_world_outside(headgate: Headgate, ended: Job) -> None:
    proxy = f"http://127.0.0.1:{FREE_PORT}"
    assert headgate("status", str(ended.id), HTTP_PROXY=proxy, ALL_PROXY=proxy)[0] == "Succeed\n"


def test_wait_gives_up_in_time_and_the_job_goes_on(endless: Job) -> None:
    with pytest.raises(TimeoutError, match=rf"job {endless.id} is still"):
        endless.wait(0.1)
    assert endless.status() not in ENDED
    assert 0.0 <= endless.progress().fraction < 1.0


def test_an_empty_result_set_has_its_columns(service: Service) -> None:
    job = service.client().submit("true", engine="shell-1")
    assert job.wait(60) == "Succeed" and job.progress().fraction == 1.0
    (found,) = job.results()
    assert [column.name for column in found.columns] == ["line"] and list(found.rows()) == []
    assert list(job.follow()) == job.log()
