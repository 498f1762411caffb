"""Flink and Java: from the package index, or one's own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from commons.process.errors import Invalid
from commons.process.settings import Settings
from services.engineconn.engine import EngineSpec
from services.engineconn.flink import files
from services.entrance.intake import Intake
from services.entrance.users import Asker
from services.entrance.wire.jobs import Submit
from tests.integration.conftest import sdist


def spec(tmp_path: Path, version: str = "9.9.9", **settings: str) -> EngineSpec:
    return EngineSpec(
        "e", "flink", version, "u", "c", 1.0, 2**30, tmp_path / "w", tmp_path / "engines", settings=settings
    )


def java_at(home: Path, version: str = "") -> Path:
    (home / "bin").mkdir(parents=True)
    (home / "bin/java").touch()
    if version:
        (home / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    return home / "bin/java"


def flink_at(home: Path, version: str) -> Path:
    (home / "lib").mkdir(parents=True)
    (home / "lib" / f"flink-dist-{version}.jar").touch()
    return home


async def test_flink_and_java_come_from_the_package_index(distribution: None, tmp_path: Path) -> None:
    said: list[str] = []
    found = await files.find(spec(tmp_path), said.append)
    engines = tmp_path / "engines"
    assert (found.flink_home, found.java) == (engines / "flink/9.9.9", engines / "java/17.0.0/bin/java")
    jars = sorted(path.relative_to(found.flink_home).as_posix() for path in found.flink_home.rglob("*.jar"))
    assert jars == ["lib/flink-dist-9.9.9.jar", "opt/flink-python-9.9.9.jar", "plugins/metrics/metrics.jar"]
    assert not (found.flink_home / "bin").exists()
    assert os.access(found.java, os.X_OK) and os.access(engines / "java/17.0.0/lib/jspawnhelper", os.X_OK)
    told = [line.partition(":")[0] for line in said if "Unpacking" in line or "Downloading" in line]
    assert list(dict.fromkeys(told)) == [  # a slow download is told of more than once
        "Downloading Java 17.0.0", "Unpacking Java 17.0.0", "Downloading Flink 9.9.9", "Unpacking Flink 9.9.9",
    ]  # fmt: skip


def test_what_would_lie_outside_is_not_unpacked(tmp_path: Path) -> None:
    content = {"deps/lib/a.jar": "a", "deps/lib/../../../escaped": "evil"}
    files._unpack(sdist(tmp_path, "tiny-flink", "9.9.9", content), tmp_path / "to" / "home")
    assert (tmp_path / "to/home/lib/a.jar").is_file() and not list(tmp_path.rglob("escaped"))


async def test_a_version_that_cannot_be_downloaded_is_refused_with_what_there_is(
    distribution: None, tmp_path: Path
) -> None:
    with pytest.raises(Invalid, match=r"Flink 1\.2\.3 cannot be downloaded; there are: 9\.9\.9"):
        await files.find(spec(tmp_path, "1.2.3"), lambda _: None)


async def test_a_flink_and_a_java_of_ones_own_are_used(distribution: None, tmp_path: Path) -> None:
    java = java_at(tmp_path / "java", "21.0.1")  # whoever names it knows why
    flink = flink_at(tmp_path / "flink", "1.19.3")
    said: list[str] = []
    own = spec(tmp_path, "1.19.3", flink_home=str(flink), java_home=str(tmp_path / "java"))
    assert await files.find(own, said.append) == files.Files(flink, java)
    assert said == [] and not (tmp_path / "engines").exists()


async def test_a_java_home_without_java_is_refused_before_anything_is_fetched(
    distribution: None, tmp_path: Path
) -> None:
    said: list[str] = []
    with pytest.raises(Invalid, match=f"HEADGATE_JAVA_HOME: there is no {tmp_path}/nothing/bin/java"):
        await files.find(spec(tmp_path, java_home=str(tmp_path / "nothing")), said.append)
    assert said == []


@pytest.mark.parametrize(
    ("version", "used"),
    [("17", True), ("17.0.15", True), ("17-ea", True), ("21.0.1", False), ("170", False), ("", False)],
)  # fmt: skip
async def test_java_home_is_used_when_it_is_a_17(
    distribution: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, used: bool
) -> None:
    java = java_at(tmp_path / "java", version)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "java"))
    own = spec(tmp_path, flink_home=str(tmp_path))
    downloaded = tmp_path / "engines/java/17.0.0/bin/java"
    assert (await files.find(own, lambda _: None)).java == (java if used else downloaded)


async def test_a_java_home_that_is_broken_is_passed_over(
    distribution: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    java_at(tmp_path / "java", "17.0.1").unlink()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "java"))
    found = await files.find(spec(tmp_path, flink_home=str(tmp_path)), lambda _: None)
    assert found.java == tmp_path / "engines/java/17.0.0/bin/java"


def test_a_flink_of_ones_own_is_served_under_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADGATE_FLINK_HOME", str(flink_at(tmp_path / "flink", "1.19.3")))
    intake = Intake(Settings())
    for label in ("flink", "flink-1.19.3"):
        assert intake.accept(Submit("SELECT 1", "sql", label, "u", "c"), Asker("u", False), 0).version == "1.19.3"
    with pytest.raises(Invalid, match=r"there are: flink-1\.19\.3, seatunnel"):
        intake.accept(Submit("SELECT 1", "sql", "flink-1.20.5", "u", "c"), Asker("u", False), 0)


def test_a_folder_without_flink_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADGATE_FLINK_HOME", str(tmp_path))
    with pytest.raises(Invalid, match=f"HEADGATE_FLINK_HOME={tmp_path} has no lib/flink-dist-<version>.jar"):
        Intake(Settings())
