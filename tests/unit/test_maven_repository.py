"""Which repository Maven's settings name."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.engineconn import maven_repository

MIRROR = "<mirror><id>{id}</id><mirrorOf>{of}</mirrorOf><url>{url}</url>{more}</mirror>"
SETTINGS = """<settings xmlns="http://maven.apache.org/SETTINGS/1.2.0"><servers>{servers}</servers>
<mirrors>{mirrors}</mirrors></settings>"""
SERVER = "<server><id>m</id><username>{user}</username><password>{password}</password></server>"


def mirror(of: str, url: str = "https://mirror/maven", more: str = "", name: str = "m") -> str:
    return MIRROR.format(id=name, of=of, url=url, more=more)


@pytest.fixture(autouse=True)
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HEADGATE_MAVEN_REPOSITORY", "MAVEN_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".m2").mkdir()
    return tmp_path


def settings(file: Path, *mirrors: str, servers: str = "") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(SETTINGS.format(servers=servers, mirrors="".join(mirrors)))


def test_without_settings_there_is_none() -> None:
    assert maven_repository.chosen() == ""


@pytest.mark.parametrize(
    ("of", "taken"),
    [
        ("central", True), ("*", True), ("external:*", True), ("other, central", True), ("*,!other", True),
        ("other", False), ("*,!central", False), ("external:http:*", False), ("", False),
    ],
)  # fmt: skip
def test_a_mirror_of_central_is_taken(user: Path, of: str, taken: bool) -> None:
    settings(user / ".m2/settings.xml", mirror(of))
    assert maven_repository.chosen() == ("https://mirror/maven" if taken else "")


def test_the_first_that_is_not_blocked_is_taken(user: Path) -> None:
    blocked = mirror("*", "http://0.0.0.0/", "<blocked>true</blocked>", "blocker")
    first, second = mirror("*", "https://first"), mirror("central", "https://second")
    settings(user / ".m2/settings.xml", blocked, first, second)
    assert maven_repository.chosen() == "https://first"


def test_the_users_settings_come_before_mavens_own(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAVEN_HOME", str(user / "maven"))
    settings(user / "maven/conf/settings.xml", mirror("*", "https://global"))
    assert maven_repository.chosen() == "https://global"
    settings(user / ".m2/settings.xml", mirror("*", "https://own"))
    assert maven_repository.chosen() == "https://own"
    monkeypatch.setenv("HEADGATE_MAVEN_REPOSITORY", "https://setting")
    assert maven_repository.chosen() == "https://setting"


def test_a_mirrors_password_is_in_its_address_and_not_in_what_is_shown(user: Path) -> None:
    settings(user / ".m2/settings.xml", mirror("*"), servers=SERVER.format(user="me", password="p@ss/1"))
    assert maven_repository.chosen() == "https://me:p%40ss%2F1@mirror/maven"
    assert maven_repository.shown(maven_repository.chosen()) == "https://mirror/maven"
    assert maven_repository.shown("https://mirror/maven?token=1") == "https://mirror/maven"


@pytest.mark.parametrize(
    ("url", "password"),
    [("https://mirror", "{encrypted=}"), ("https://${env.HOST}", "p"), ("https://mirror", "${env.PASSWORD}"),
     ("file:///somewhere", "p")],
)  # fmt: skip
def test_what_only_maven_can_read_is_left_to_it(user: Path, url: str, password: str) -> None:
    servers = SERVER.format(user="me", password=password)
    settings(user / ".m2/settings.xml", mirror("*", url), mirror("*", "https://second"), servers=servers)
    assert maven_repository.chosen() == ""


def test_settings_that_are_no_xml_are_left_to_maven(user: Path) -> None:
    (user / ".m2/settings.xml").write_text("<settings><mirrors>")
    assert maven_repository.chosen() == ""
