"""A real service for the tests that need one: all services in one process, engines as real processes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from headgate import Client

from commons.process.settings import Settings
from services.engineconn.seatunnel import files
from tests.support import mariadb
from tests.support.leftovers import processes_of
from tests.support.mariadb import MariaDB

# a shell starts jobs in the background with SIGINT ignored, and what is started here would inherit that
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Service:
    """A running service and its first administrator."""

    home: Path
    url: str
    user: str
    password: str
    token: str
    process: subprocess.Popen[str]
    admin: Client

    def client(self) -> Client:
        return self.admin


Start = Callable[..., Service]
"""Takes arguments of the command and settings, as `start` does."""


IN_BOOT = 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"'


def start(home: Path, *arguments: str, boot: Path | None = None, module: str = "services", **settings: str) -> Service:
    """A service on `home` and a free port, with the engines of every kind unless `settings` (HEADGATE_*) say else.

    With `boot` it sees the boot id in that file: it alone, in a mount namespace of its own.
    """
    another = ["unshare", "-m", "sh", "-c", IN_BOOT, str(boot)] if boot is not None else []
    home.mkdir(parents=True, exist_ok=True)
    with (home.parent / "service.log").open("a") as log:
        process = subprocess.Popen(
            [*another, sys.executable, "-P", "-m", module, *arguments],
            env=environment(home, **settings), stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
    assert process.stdout is not None
    first = process.stdout.readline()
    if not first.startswith("Headgate is ready: "):
        process.kill()
        process.communicate()
        pytest.fail(f"the service did not start: {first}{(home.parent / 'service.log').read_text()}")
    kept = json.loads((home / "credentials.json").read_text())
    return Service(home, kept["url"], kept["user"], kept["password"], kept["token"], process, _admin(kept))


def environment(home: Path, **settings: str) -> dict[str, str]:
    """What a service on `home` is started with: nothing of the caller's own installation but its engine files."""
    homes = ("HEADGATE_ENGINES_HOME", "HEADGATE_FLINK_HOME", "HEADGATE_SEATUNNEL_HOME", "HEADGATE_JAVA_HOME")
    kept = (*homes, "HEADGATE_MAVEN_REPOSITORY")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HEADGATE_") or name in kept}
    own = {"HEADGATE_HOME": str(home), "HEADGATE_PORT": "0", "HEADGATE_ENGINES": "flink,shell"}
    return inherited | own | settings


def _admin(kept: dict[str, str]) -> Client:
    return Client(kept["url"], kept["user"], kept["token"])


def stop(service: Service) -> int:
    return _end(service, signal.SIGTERM)


def kill(service: Service) -> int:
    """End the service as kill -9 does; its engines go on. Harmless when it has ended."""
    return _end(service, signal.SIGKILL)


def _end(service: Service, number: signal.Signals) -> int:
    service.admin.close()
    service.process.send_signal(number)
    code = service.process.wait(60)
    assert service.process.stdout is not None
    service.process.stdout.close()
    return code


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "home"
    for process in processes_of(tmp_path / "home"):
        with suppress(psutil.NoSuchProcess):
            process.kill()


@pytest.fixture
def temporary() -> Iterator[Path]:
    """TMPDIR of the services; a short path, since sockets may lie there."""
    with tempfile.TemporaryDirectory(prefix="hg-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def begin(home: Path, temporary: Path) -> Iterator[Start]:
    """Starts services with shell engines on `home`; what a failed test left running is killed."""
    started: list[Service] = []

    def begin(*arguments: str, boot: Path | None = None, **settings: str) -> Service:
        more = {"HEADGATE_ENGINES": "shell", "TMPDIR": str(temporary)} | settings
        started.append(start(home, *arguments, boot=boot, **more))
        return started[-1]

    yield begin
    for service in started:
        kill(service)


@pytest.fixture(scope="session")
def maria(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    """A real MariaDB, shared: each test makes databases of its own."""
    with mariadb.running(tmp_path_factory.mktemp("maria")) as server:
        yield server


@pytest.fixture(scope="session")
def seatunnel_home() -> Path:
    """The real SeaTunnel among the engine files that all tests share: fetched where it is not there yet."""
    return asyncio.run(files.package(Settings().engines_folder, "2.3.8").provide(print))


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = start(tmp_path_factory.mktemp("service") / "home", "--stop-engines")
    yield running
    assert stop(running) == 0
