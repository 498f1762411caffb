"""The `headgate` command in processes of its own, calls of REST, and jobs to look at."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from headgate import Job

from tests.conftest import Service
from tests.support.rest import PREFIX, Rest

COMMAND = (sys.executable, "-P", "-m", "headgate")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Headgate:
    """The command in a process of its own, with nothing but `environment`; by default it is the administrator's."""

    environment: dict[str, str]

    def __call__(self, *arguments: str, code: int = 0, stdin: bytes = b"", **variables: str) -> tuple[str, str]:
        """What it wrote to stdout and to stderr, where nothing may steer a terminal."""
        done = subprocess.run(
            [*COMMAND, *arguments], env=self.environment | variables, input=stdin, capture_output=True, timeout=120
        )
        out, err = done.stdout.decode(), done.stderr.decode()
        assert done.returncode == code, f"{done.returncode}\n{out}\n{err}"
        assert "Traceback" not in err
        assert not CONTROL.search(out + err)
        return out, err


@pytest.fixture
def rest(service: Service) -> Iterator[Rest]:
    rest = Rest(service)
    yield rest
    rest.http.close()


@pytest.fixture
def rest_of(service: Service, rest: Rest) -> Iterator[Callable[[str], Rest]]:
    """Calls of another user, who is made when he is not there."""
    opened: list[Rest] = []

    def rest_of(user: str) -> Rest:
        rest.http.post(f"{PREFIX}/user/create", json={"userName": user, "password": "long enough"})
        made = rest.http.post(f"{PREFIX}/user/token-create", json={"legalUsers": [user]}).json()
        opened.append(Rest(service, user, made["data"]["token"]))
        return opened[-1]

    yield rest_of
    for each in opened:
        each.http.close()


@pytest.fixture
def headgate(service: Service, tmp_path: Path) -> Headgate:
    return Headgate(
        {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(tmp_path),
            "HEADGATE_URL": service.url,
            "HEADGATE_USER": service.user,
            "HEADGATE_TOKEN": service.token,
        }
    )


@pytest.fixture
def nobody(headgate: Headgate) -> Headgate:
    """The command of one who has named nothing."""
    return Headgate({name: value for name, value in headgate.environment.items() if "HEADGATE" not in name})


@pytest.fixture(scope="module")
def ended(service: Service) -> Job:
    job = service.client().submit("echo one; echo 'a,b'", engine="shell-1")
    assert job.wait(60) == "Succeed"
    return job


@pytest.fixture
def endless(service: Service) -> Iterator[Job]:
    job = service.client().submit("echo begin; sleep 600", engine="shell-1")
    yield job
    job.kill()
    assert job.wait(30) == "Cancelled"
