"""What the Tab key offers, asked as shells ask: by their own scripts, or by the variables these set."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from headgate import Job
from headgate.completion import ENGINES

from protocol.names import ENGINE_VERSIONS
from tests.conftest import Service
from tests.e2e.conftest import COMMAND, Headgate

BASH = """
eval "$(headgate --show-completion)"
COMP_WORDS=({words}) COMP_CWORD={last}
_headgate_completion headgate
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def offered(headgate: Headgate, *words: str) -> list[str]:
    """What a bash offers after the words, the last of which is not whole yet."""
    path = f"{Path(sys.executable).parent}:{headgate.environment['PATH']}"
    quoted = " ".join(map(shlex.quote, ("headgate", *words)))
    done = subprocess.run(
        ["bash", "--norc", "-c", BASH.format(words=quoted, last=len(words))],
        env=headgate.environment | {"PATH": path}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout.split()


def described(headgate: Headgate, line: str) -> str:
    """What a zsh is told: each word with what it means."""
    environment = {"_HEADGATE_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": line}
    done = subprocess.run(COMMAND, env=headgate.environment | environment, capture_output=True, text=True, timeout=60)
    assert not done.stderr, done.stderr
    return done.stdout


def test_commands_and_forms(headgate: Headgate) -> None:
    assert offered(headgate, "re") == ["results"]
    assert offered(headgate, "users", "ad") == ["add", "admin"]
    assert offered(headgate, "run", "-o", "") == ["table", "json", "csv", "arrow"]
    assert offered(headgate, "jobs", "--output", "") == ["table", "json", "csv"]


def test_engines_are_those_that_there_are(headgate: Headgate) -> None:
    assert offered(headgate, "run", "--engine", "fl") == ["flink", *(f"flink-{v}" for v in ENGINE_VERSIONS["flink"])]
    assert offered(headgate, "submit", "--engine", "sh") == [f"shell-{v}" for v in ENGINE_VERSIONS["shell"]]
    labels = {f"{kind}-{version}" for kind, versions in ENGINE_VERSIONS.items() for version in versions}
    assert set(ENGINES) == labels | {"flink"}


def test_artifacts_are_those_that_one_may_use(headgate: Headgate, service: Service, tmp_path: Path) -> None:
    file = tmp_path / "completed.csv"
    file.write_text("x")
    service.client().push_artifact(file)
    assert "completed.csv" in offered(headgate, "artifact", "show", "comp")
    service.client().remove_artifact("completed.csv")


def test_statuses_one_after_the_other(headgate: Headgate) -> None:
    assert offered(headgate, "jobs", "--status", "Run") == ["Running"]
    assert offered(headgate, "jobs", "--status", "Running,F") == ["Running,Failed"]
    assert "Running,Running" not in offered(headgate, "jobs", "--status", "Running,")


@pytest.mark.parametrize("command", ["status", "progress", "log", "kill", "results"])
def test_ids_of_the_newest_jobs(headgate: Headgate, ended: Job, command: str) -> None:
    found = offered(headgate, command, "")
    assert str(ended.id) in found and found == sorted(found, key=int, reverse=True)
    assert str(ended.id) in offered(headgate, command, str(ended.id)[:1])
    assert offered(headgate, command, "x") == []


def test_an_id_is_said_with_its_status_and_code(headgate: Headgate, service: Service) -> None:
    job = service.client().submit("echo [red] [/x]\n  \033[31m; true", engine="shell-1")
    assert job.wait(60) == "Succeed"
    said = described(headgate, "headgate status ")
    line = next(line for line in said.split("\n") if f'"{job.id}"' in line)
    assert "Succeed shell echo [red] [/x] " in line and "\033" not in said


def test_options_before_the_id_name_the_service(nobody: Headgate, service: Service, ended: Job, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(service.token)
    where = ("--url", service.url, "--user", service.user, "--token", str(tmp_path / "token"))
    assert str(ended.id) in offered(nobody, "status", *where, "")


def test_without_a_service_there_are_no_ids_and_no_error(nobody: Headgate) -> None:
    assert offered(nobody, "status", "") == []
    assert offered(nobody, "status", "--url", "http://127.0.0.1:1", "--user", "a", "--token", "b", "") == []
