"""What the doctor says of a machine that is not this one."""

from __future__ import annotations

import os
import resource
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from commons.process.settings import Settings
from services import home
from services.tools import installation, machine
from services.tools.findings import State

GIB = 1 << 30


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in [name for name in os.environ if name.startswith("HEADGATE_") or name == "JAVA_HOME"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HEADGATE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HEADGATE_ENGINES_HOME", str(tmp_path / "engines"))
    return Settings()


@pytest.mark.parametrize(
    ("free", "to_fetch", "state"),
    [
        (100 << 20, 0, State.FAIL), (GIB, 0, State.WARN), (3 * GIB, 0, State.OK), (3 * GIB, 4 * GIB, State.FAIL),
        (3 * GIB, 2 * GIB, State.OK),
    ],
)  # fmt: skip
def test_a_disk_with_little_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, to_fetch: int, state: State
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    found = machine.disk("disk", tmp_path / "not" / "there", to_fetch, "HEADGATE_HOME")
    assert found.state is state and ("HEADGATE_HOME" in found.fix) == (state is not State.OK)


def test_room_is_asked_for_what_is_still_to_be_fetched(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=GIB))
    home_disk, _, engines_disk = machine.disks(settings)
    assert (home_disk.state, engines_disk.state) == (State.WARN, State.FAIL)
    assert "what is to be fetched takes 1.2 GiB" in engines_disk.found


@pytest.mark.parametrize(("free", "state"), [(10, State.FAIL), (5_000, State.WARN), (10**6, State.OK)])
def test_a_disk_with_few_inodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, state: State) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_files=10**7, f_favail=free))
    assert machine.inodes(tmp_path).state is state


@pytest.mark.parametrize(
    ("total", "available", "state"),
    [
        (GIB // 2, GIB // 2, State.FAIL), (GIB, GIB, State.WARN), (8 * GIB, GIB // 2, State.WARN),
        (8 * GIB, 4 * GIB, State.OK),
    ],
)  # fmt: skip
def test_memory_against_the_engines_of_a_tenant(settings: Settings, total: int, available: int, state: State) -> None:
    found = machine.memory(settings, total, available)
    assert found.state is state and "a tenant's 2 engines take 2.0 GiB" in found.found


@pytest.mark.parametrize(
    ("group", "files", "expected"),
    [
        ("0::/a/b", {}, (8 * GIB, 6 * GIB)),
        ("0::/a/b", {"a/b/memory.max": "max"}, (8 * GIB, 6 * GIB)),
        ("0::/a/b", {"a/b/memory.max": 2 * GIB, "a/b/memory.current": GIB}, (2 * GIB, GIB)),
        ("0::/a/b", {"a/memory.max": 3 * GIB, "a/memory.current": 3 * GIB}, (3 * GIB, 0)),
        ("0::/a/b", {"memory.max": GIB}, (GIB, GIB)),  # a container's own group is the root that it sees
        ("4:memory:/a\n0::/", {"memory/a/memory.limit_in_bytes": GIB, "memory/a/memory.usage_in_bytes": 0}, (GIB, GIB)),
        ("4:memory:/a\n0::/", {"memory/memory.limit_in_bytes": 9223372036854771712}, (8 * GIB, 6 * GIB)),
    ],
)
def test_memory_is_what_the_control_group_allows(
    tmp_path: Path, group: str, files: dict[str, int | str], expected: tuple[int, int]
) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(f"{group}\n")
    (tmp_path / "proc/meminfo").write_text(f"MemTotal: {8 << 20} kB\nMemFree: 1 kB\nMemAvailable: {6 << 20} kB\n")
    for name, value in files.items():
        path = tmp_path / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{value}\n")
    assert machine.memory_bytes(tmp_path / "proc", tmp_path / "cgroup") == expected


@pytest.mark.parametrize(("seconds", "state"), [(0, State.FAIL), (-300, State.WARN), (300, State.OK)])
def test_a_clock_that_went_back(tmp_path: Path, seconds: int, state: State) -> None:
    database = tmp_path / "headgate.db"
    database.touch()
    now = database.stat().st_mtime + seconds if seconds else 1e9
    assert machine.clock(tmp_path, now).state is state


@pytest.mark.parametrize(("soft", "state"), [(64, State.FAIL), (512, State.WARN), (1024, State.OK), (-1, State.OK)])
def test_a_limit_of_open_files(monkeypatch: pytest.MonkeyPatch, soft: int, state: State) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, 2048))
    found = machine.open_files()
    assert found.state is state and ("ulimit -n 2048" in found.fix) == (state is not State.OK)


def test_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "home"
    assert installation.home_folder(folder).found == f"{folder} will be made"
    folder.mkdir(mode=0o700)
    assert installation.home_folder(folder).state is State.OK
    folder.chmod(0o755)
    assert (found := installation.home_folder(folder)).state is State.WARN and "chmod 700" in found.fix
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert installation.home_folder(folder).state is State.FAIL
    (tmp_path / "file").touch()
    assert installation.home_folder(tmp_path / "file" / "home").state is State.FAIL


def test_whoever_holds_a_home_is_read_from_the_kernels_locks(tmp_path: Path) -> None:
    assert home.holder(tmp_path) is None
    (tmp_path / ".lock").write_text("123")
    inode = (tmp_path / ".lock").stat().st_ino
    line = f"1: FLOCK  ADVISORY  WRITE 123 fe:00:{inode} 0 EOF"
    assert home.holder(tmp_path, line) == 123
    for other in ("", line.replace("WRITE 123", "WRITE 124"), line.replace(str(inode), f"{inode}0")):
        assert home.holder(tmp_path, other) is None
    with home.take(tmp_path):
        assert home.holder(tmp_path) == os.getpid()
    assert home.holder(tmp_path) is None


def test_sockets_of_a_home_whose_name_takes_many_bytes_have_short_paths() -> None:
    deep = Path("/") / ("ü" * 50)
    found = installation.sockets(deep)
    assert found.state is State.OK and str(deep) not in found.found


def test_a_setting_that_there_is_not_is_named_without_its_value(settings: Settings) -> None:
    found = installation.settings(
        settings, {"HEADGATE_PROT": "secret", "HEADGATE_PORT": "1", "HEADGATE_TOKEN": "secret"}
    )
    assert found.state is State.WARN and "HEADGATE_PROT" in found.found and "secret" not in found.found + found.fix
    assert installation.settings(settings, {"HEADGATE_TOKEN": "secret"}).state is State.OK


def test_engines_that_there_are_not_fail(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADGATE_ENGINES", "spark")
    found = installation.settings(Settings(), {})
    assert (
        found.state is State.FAIL
        and "there are: flink, seatunnel, shell" in found.found
        and "HEADGATE_ENGINES" in found.fix
    )


@pytest.mark.parametrize(
    ("script", "states"),
    [
        ("echo 'openjdk version \"17.0.9\" 2023' >&2", [State.OK]),
        ("echo 'openjdk version \"21\" 2023' >&2", [State.WARN]),
        ("echo broken >&2; exit 1", [State.FAIL]),
        (None, [State.FAIL]),
    ],
)
def test_a_java_of_ones_own(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, states: list[State]
) -> None:
    java = tmp_path / "java/bin/java"
    java.parent.mkdir(parents=True)
    if script is not None:
        java.write_text(f"#!/bin/sh\n{script}\n")
        java.chmod(0o755)
    monkeypatch.setenv("HEADGATE_JAVA_HOME", str(tmp_path / "java"))
    found = list(installation.java(Settings()))
    assert [each.state for each in found] == states
    assert states == [State.OK] or "HEADGATE_JAVA_HOME" in found[0].fix


def test_a_java_home_that_is_passed_over_is_said(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", "/usr/lib/java-8")
    passed, absent = installation.java(settings)
    assert passed.state is absent.state is State.WARN
    assert "JAVA_HOME=/usr/lib/java-8" in passed.found and "engines fetch" in absent.fix
