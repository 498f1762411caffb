"""Jars from a Maven repository of the test's own, and by the real mvn."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from commons.process.errors import Unavailable
from commons.process.settings import Settings, explained
from services.engineconn import maven, provisioning
from services.engineconn.jars import Jar
from services.engineconn.provisioning import Package, Say
from tests.support import repository as repositories
from tests.support.repository import Repository


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    """The one that the setting names."""
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    with repositories.serving() as repository:
        monkeypatch.setenv("HEADGATE_MAVEN_REPOSITORY", repository.url)
        yield repository


def package(target: Path, jars: Sequence[Jar]) -> Package:
    async def fill(part: Path, folder: Path, say: Say) -> None:
        await maven.fetch("Tiny 1.0", jars, folder, part, say)

    return Package("tiny-1.0", "Tiny 1.0", target, sum(jar.size for jar in jars), fill)


def visible(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir() if path.suffix != ".lock")


async def refused(target: Path, *jars: Jar) -> str:
    """What is said of jars that cannot be had; nothing of them is left."""
    with pytest.raises(Unavailable) as error:
        await package(target, jars).provide(lambda _: None)
    assert visible(target) == []
    return str(error.value)


async def test_all_jars_come_and_how_far_they_are_is_told(repository: Repository, tmp_path: Path) -> None:
    jars = [repository.keep(f"org.tiny:part-{number}:1.0") for number in range(20)]
    jars.append(repository.keep("org.tiny:more:1.0:optional"))
    said: list[str] = []
    target = await package(tmp_path / "e/1.0", jars).provide(said.append)
    assert {path.name for path in target.iterdir()} == {jar.file_name for jar in jars} | {"SHA256SUMS"}
    assert (target / "more-1.0-optional.jar").read_bytes() == repository.files[
        "org/tiny/more/1.0/more-1.0-optional.jar"
    ]
    assert said[0] == "Downloading Tiny 1.0: 0 of 21 jars, 0 of 0 MiB"
    assert not [path for path in repository.asked if path.endswith("sha1")]


async def test_each_jar_that_is_not_there_is_named(repository: Repository, tmp_path: Path) -> None:
    here = repository.keep("org.tiny:here:1.0")
    lacking = [Jar.of("org.tiny:gone:1.0", 5, "0" * 64), Jar.of("org.tiny:lost:2.0:optional", 5, "0" * 64)]
    said = await refused(tmp_path / "e/1.0", lacking[0], here, lacking[1])
    assert f"{repository.url} has no org.tiny:gone:1.0, org.tiny:lost:2.0:optional." in said
    assert "HEADGATE_MAVEN_REPOSITORY" in said


async def test_another_file_than_expected_is_refused(repository: Repository, tmp_path: Path) -> None:
    good, other = repository.keep("org.tiny:good:1.0"), repository.keep("org.tiny:other:1.0")
    said = await refused(tmp_path / "e/1.0", good, replace(other, sha256="0" * 64))
    assert "org.tiny:other:1.0 is another file than expected (its SHA-256 differs)" in said and "good" not in said


async def test_a_jar_nothing_is_known_of_is_what_the_repositorys_checksum_says(
    repository: Repository, tmp_path: Path
) -> None:
    jar = repository.keep("org.tiny:new:1.0", known=False)
    target = await package(tmp_path / "e/1.0", [jar]).provide(lambda _: None)
    assert [path.name for path in target.glob("new*")] == ["new-1.0.jar"]
    repository.files[f"{jar.path}.sha1"] = b"0" * 40
    assert "org.tiny:new:1.0 is not what the repository's own checksum says (sha1 differs)" in await refused(
        tmp_path / "f/1.0", jar
    )
    del repository.files[f"{jar.path}.sha1"]
    assert "no checksum of org.tiny:new:1.0" in await refused(tmp_path / "f/1.0", jar)


async def test_what_breaks_once_on_the_way_is_fetched_again(repository: Repository, tmp_path: Path) -> None:
    jar = repository.keep("org.tiny:part:1.0")
    repository.cut[jar.path] = 1
    target = await package(tmp_path / "e/1.0", [jar]).provide(lambda _: None)
    assert (target / jar.file_name).read_bytes() == repository.files[jar.path]


async def test_what_breaks_each_time_leaves_nothing_and_the_next_try_succeeds(
    repository: Repository, tmp_path: Path
) -> None:
    jar, other = repository.keep("org.tiny:part:1.0"), repository.keep("org.tiny:other:1.0")
    repository.cut[jar.path] = 3
    assert f"org.tiny:part:1.0 did not come from {repository.url}: " in await refused(tmp_path / "e/1.0", other, jar)
    await package(tmp_path / "e/1.0", [other, jar]).provide(lambda _: None)
    assert visible(tmp_path / "e/1.0") == ["1.0"]


async def test_who_gives_up_half_way_leaves_nothing(repository: Repository, tmp_path: Path) -> None:
    jar = repository.keep("org.tiny:part:1.0")
    repository.go_on.clear()
    fetching = asyncio.create_task(package(tmp_path / "e/1.0", [jar]).provide(lambda _: None))
    while not repository.asked:
        await asyncio.sleep(0.01)
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    assert visible(tmp_path / "e/1.0") == []


async def test_two_homes_at_once_fetch_once(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provisioning, "SAY_SECONDS", 0.01)
    jars = [repository.keep(f"org.tiny:part-{number}:1.0") for number in range(3)]
    repository.go_on.clear()
    said: tuple[list[str], list[str]] = ([], [])
    both = [asyncio.create_task(package(tmp_path / "e/1.0", jars).provide(lines.append)) for lines in said]
    while not any("waiting for it" in line for line in said[0] + said[1]):
        await asyncio.sleep(0.01)
    repository.go_on.set()
    assert await asyncio.gather(*both) == [tmp_path / "e/1.0"] * 2
    assert sorted(repository.asked) == sorted(jar.path for jar in jars)


async def test_a_password_in_the_address_opens_the_repository_and_is_never_shown(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.password = "canary p@ss/word"
    jar, gone = repository.keep("org.tiny:part:1.0"), Jar.of("org.tiny:gone:1.0", 5, "0" * 64)
    cut = repository.keep("org.tiny:cut:1.0")
    repository.cut[cut.path] = 3
    assert "org.tiny:part:1.0 did not come from" in (said := await refused(tmp_path / "e/1.0", jar)) and "401" in said
    with_password = repository.url.replace("://", "://reader:canary%20p%40ss%2Fword@")
    monkeypatch.setenv("HEADGATE_MAVEN_REPOSITORY", with_password)
    for bad in (gone, cut):
        said = await refused(tmp_path / "e/1.0", bad)
        assert repository.url in said and "canary" not in said and "reader" not in said
    await package(tmp_path / "e/1.0", [jar]).provide(lambda _: None)


async def test_a_repository_that_is_not_there_is_named_without_its_password(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADGATE_MAVEN_REPOSITORY", "http://reader:canary@127.0.0.1:1/maven")
    said = await refused(tmp_path / "e/1.0", repository.keep("org.tiny:part:1.0"))
    assert "org.tiny:part:1.0 did not come from http://127.0.0.1:1/maven: " in said and "canary" not in said


def test_a_setting_that_is_no_address_is_told_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADGATE_MAVEN_REPOSITORY", "ftp://reader:canary@somewhere/maven")
    with pytest.raises(ValueError) as error:
        Settings()
    said = explained(error.value)  # type: ignore[arg-type]
    assert said.startswith("HEADGATE_MAVEN_REPOSITORY: ") and "canary" not in said


async def test_with_neither_a_repository_nor_maven_both_ways_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HEADGATE_MAVEN_REPOSITORY", "MAVEN_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    said = await refused(tmp_path / "e/1.0", Jar.of("org.tiny:part:1.0"))
    assert "Tiny 1.0 cannot be downloaded" in said and "HEADGATE_MAVEN_REPOSITORY" in said and "`mvn`" in said


@pytest.fixture
def by_mvn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEADGATE_MAVEN_REPOSITORY", raising=False)
    assert shutil.which("mvn"), "there is no mvn on the PATH; install Maven (apt-get install maven)"


async def test_mvn_fetches_jars_of_which_nothing_is_known(by_mvn: None, tmp_path: Path) -> None:
    said: list[str] = []
    jars = [Jar.of("org.slf4j:slf4j-api:1.7.25"), Jar.of("org.apache.seatunnel:seatunnel-guava:2.3.8:optional")]
    target = await package(tmp_path / "e & f/1.0", jars).provide(said.append)
    assert sorted(path.name for path in target.glob("*.jar")) == [
        "seatunnel-guava-2.3.8-optional.jar", "slf4j-api-1.7.25.jar",
    ]  # fmt: skip
    assert said[0] == "Downloading Tiny 1.0: 0 of 2 jars, 0 MiB"


async def test_mvn_names_a_jar_that_is_not_there(by_mvn: None, tmp_path: Path) -> None:
    lacking = Jar.of("org.slf4j:slf4j-api:1.7.25:no-such", 5, "0" * 64)
    for _ in range(2):  # Maven remembers what it did not find
        said = await refused(tmp_path / "e/1.0", Jar.of("org.slf4j:slf4j-api:1.7.25"), lacking)
        assert said.startswith("Maven finds no org.slf4j:slf4j-api:1.7.25:no-such in its repositories.")


async def test_a_mvn_that_is_no_longer_waited_for_ends(by_mvn: None, tmp_path: Path) -> None:
    def at_work() -> bool:
        return any(
            str(tmp_path) in " ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])
        )

    fetching = asyncio.create_task(package(tmp_path / "e/1.0", [Jar.of("org.slf4j:slf4j-api:1.7.25")]).provide(print))
    while not at_work():
        await asyncio.sleep(0.01)
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    assert not at_work() and visible(tmp_path / "e/1.0") == []


async def test_mvn_without_a_network_says_why(by_mvn: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "MAVEN_OPTS", " ".join(f"-D{each}.proxyHost=127.0.0.1 -D{each}.proxyPort=1" for each in ("http", "https"))
    )
    said = await refused(tmp_path / "e/1.0", Jar.of("org.slf4j:slf4j-api:0.0.1"))
    assert said.startswith("Maven did not fetch the jars: ") and "org.slf4j:slf4j-api:jar:0.0.1" in said
