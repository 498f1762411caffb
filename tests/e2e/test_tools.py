"""`python -P -m services <tool>` in processes of their own."""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from commons.process.settings import Settings
from services.engineconn import sums
from tests.conftest import Service, environment

SERVICES = (sys.executable, "-P", "-m", "services")


def tool(home: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    own = environment(home, **settings)
    return subprocess.run([*SERVICES, *words], env=own, capture_output=True, text=True, timeout=120)


def doctor(home: Path, **settings: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Its exit code, and each finding by what was looked at."""
    done = tool(home, "doctor", "--json", **{"HEADGATE_ENGINES_HOME": str(home / "engines")} | settings)
    return done.returncode, {each["check"]: each for each in json.loads(done.stdout)}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_a_line_for_each_thing_and_nothing_is_made(home: Path) -> None:
    done = tool(home, "doctor", HEADGATE_ENGINES_HOME=str(home / "engines"), JAVA_HOME="")
    assert (done.returncode, done.stderr) == (0, "")
    assert not home.exists()
    lines = done.stdout.splitlines()
    assert all(line[:6] in ("ok    ", "warn  ") for line in lines)
    assert all(" -> " in line for line in lines if line.startswith("warn"))
    absent = next(line for line in lines if "flink-1.20.5" in line)
    assert absent.endswith(
        "absent -> it is fetched at first use, or now: python -P -m services engines fetch flink-1.20.5"
    )


def test_json_has_every_check(home: Path) -> None:
    code, found = doctor(home, HEADGATE_ENGINES_HOME=str(Settings().engines_folder))
    assert code == 0
    assert {
        "python", "packages", "settings", "java", "flink-1.20.5", "flink-2.3.0", "home", "service", "sockets", "disk",
        "inodes", "engines disk", "memory", "port", "clock", "open files",
    } <= found.keys()  # fmt: skip
    assert {tuple(each) for each in found.values()} == {("check", "state", "found", "fix")}
    assert found["java"]["state"] == "ok" and found["java"]["found"].startswith("17")


def test_a_running_service_is_seen_and_its_port_is_its_own(service: Service) -> None:
    port = service.url.rpartition(":")[2]
    code, found = doctor(service.home, HEADGATE_PORT=port)
    assert code == 0
    assert found["service"]["found"] == f"process {service.process.pid} runs with this home"
    assert found["port"] == {
        "check": "port", "state": "ok", "found": f"127.0.0.1:{port} is the running service's", "fix": "",
    }  # fmt: skip


def test_whoever_else_holds_the_port_is_named(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        code, found = doctor(home, HEADGATE_PORT=str(port))
    assert (code, found["port"]["state"]) == (1, "fail")
    assert f"127.0.0.1:{port} is held by process {os.getpid()} (" in found["port"]["found"]
    assert "HEADGATE_PORT" in found["port"]["fix"]
    assert doctor(home, HEADGATE_PORT=str(port))[1]["port"]["state"] == "ok"


@pytest.mark.parametrize(
    "setting",
    [
        {"HEADGATE_DATABASE": "mysql://root:canary-secret@db/headgate"},
        {
            "HEADGATE_DATABASE": "sqlite+aiosqlite:////x?key=canary-secret",
            "HEADGATE_STORAGE": "s3://key:canary-secret@bucket",
            "HEADGATE_TOKEN": "canary-secret",
            "HEADGATE_NO_SUCH": "canary-secret",
        },
    ],
)
def test_secrets_are_not_shown(home: Path, setting: dict[str, str]) -> None:
    done = tool(home, "doctor", HEADGATE_ENGINES_HOME=str(home), **setting)
    assert "settings" in done.stdout and "canary" not in done.stdout + done.stderr


def test_a_setting_that_cannot_be_is_named_by_every_tool(home: Path) -> None:
    code, found = doctor(home, HEADGATE_PORT="many")
    assert (code, found["settings"]["state"]) == (1, "fail")
    assert "HEADGATE_PORT=many: " in found["settings"]["found"]
    done = tool(home, "engines", "list", HEADGATE_PORT="many")
    assert done.returncode == 1 and "headgate: HEADGATE_PORT=many: " in done.stderr
    assert "HEADGATE_PORT=many: " in tool(home, HEADGATE_PORT="many").stderr


def test_a_limit_that_is_too_low_fails_and_says_what_to_do(home: Path) -> None:
    done = subprocess.run(
        [*SERVICES, "doctor"], env=environment(home), capture_output=True, text=True, timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (200, 4096)),
    )  # fmt: skip
    assert done.returncode == 1
    assert "fail  open files     200 at once -> raise it before the start: ulimit -n 4096" in done.stdout


def test_engines_that_lie_here_are_listed(home: Path) -> None:
    done = tool(home, "engines", "list")
    assert done.returncode == 0
    engines = Settings().engines_folder
    for name, place in (("java-17.0.9.2", "java/17.0.9.2"), ("flink-1.20.5", "flink/1.20.5")):
        line = next(line for line in done.stdout.splitlines() if line.startswith(name))
        assert "ready" in line and f"{engines}/{place}" in line


def test_a_real_tree_is_verified_to_the_byte(tmp_path: Path) -> None:
    own = tmp_path / "engines"
    java = own / "java" / "17.0.9.2"
    shutil.copytree(Settings().engines_folder / "java" / "17.0.9.2", java)

    def verify() -> tuple[int, str]:
        done = tool(tmp_path / "home", "engines", "verify", HEADGATE_ENGINES_HOME=str(own))
        return done.returncode, done.stdout

    (java / sums.NAME).unlink(missing_ok=True)
    code, said = verify()
    assert code == 1 and said.startswith("java-17.0.9.2: cannot be verified")
    sums.write(java)
    assert verify() == (0, f"java-17.0.9.2: every file is what was unpacked ({java})\n")
    with (java / "lib" / "modules").open("r+b") as file:
        file.seek(-1000, os.SEEK_END)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))
    code, said = verify()
    assert code == 1 and said.startswith("java-17.0.9.2: damaged: lib/modules differs; fetch it again: ")
