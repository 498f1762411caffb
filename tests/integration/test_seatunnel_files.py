"""SeaTunnel from Maven coordinates, and what is added to it: tiny jars from a repository of the test's own."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from commons.process.errors import Invalid
from commons.process.settings import Settings
from services.engineconn.engine import EngineSpec
from services.engineconn.flink import files as flink_files
from services.engineconn.flink import launch
from services.engineconn.jars import Jar
from services.engineconn.seatunnel import files
from services.engineconn.seatunnel import home as homes
from services.tools import command, installation
from services.tools.findings import State
from tests.support import repository as repositories
from tests.support.repository import Repository

OURS = "org.apache.seatunnel"
FACTORY = {"META-INF/services/org.apache.seatunnel.api.table.factory.Factory": "some.Factory"}
Engines = Callable[..., tuple[int, str, str]]


@pytest.fixture
def repository(distribution: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    """SeaTunnel 9.9.9 as a repository keeps it, but tiny."""
    with repositories.serving() as repository:
        monkeypatch.setenv("HEADGATE_MAVEN_REPOSITORY", repository.url)
        monkeypatch.setenv("HEADGATE_ENGINES_HOME", str(tmp_path / "engines"))
        for name in ("HEADGATE_SEATUNNEL_HOME", "HEADGATE_FLINK_HOME", "HEADGATE_JAVA_HOME"):
            monkeypatch.delenv(name, raising=False)

        def entry(coordinate: str, content: dict[str, str] | None = None) -> tuple[str, int, str]:
            jar = repository.keep(coordinate, content)
            return coordinate, jar.size, jar.sha256

        repository.keep(f"{OURS}:connector-redis:9.9.9", FACTORY, known=False)
        data = {
            "jars": {
                "starter": [entry(f"{OURS}:seatunnel-engine-server:9.9.9")],
                "lib": [entry(f"{OURS}:seatunnel-hadoop:9.9.9:optional")],
                "connectors": [entry(f"{OURS}:connector-fake:9.9.9", FACTORY)],
                "plugins/Jdbc/lib": [entry("com.mysql:mysql-connector-j:1.0")],
            },
            "more": [entry(f"{OURS}:connector-kafka:9.9.9", FACTORY)],
            "plugins": {
                "connector-fake": ["source.FakeSource"], "connector-kafka": ["source.Kafka", "sink.Kafka"],
                "connector-redis": ["sink.Redis"],
            },
        }  # fmt: skip
        monkeypatch.setattr(files, "_data", lambda: {"9.9.9": data})
        yield repository


@pytest.fixture
def engines(repository: Repository, capsys: pytest.CaptureFixture[str]) -> Engines:
    """Runs `engines …`: its exit code, and what it wrote to stdout and stderr."""

    def engines(*words: str) -> tuple[int, str, str]:
        arguments = command.parse(["engines", *words])
        code = int(arguments.run(arguments))
        return code, *capsys.readouterr()

    return engines


def spec(kind: str = "seatunnel", **settings: str) -> EngineSpec:
    folder = Settings().engines_folder
    return EngineSpec("e", kind, "9.9.9", "u", "c", 1.0, 2**30, folder / "w", folder, settings=settings)


def home(**settings: str) -> Path:
    """The home that an engine starts with now; its Java is not asked for."""
    java = Settings().engines_folder.parent / "no-java"
    (java / "bin").mkdir(parents=True, exist_ok=True)
    (java / "bin/java").touch()
    return asyncio.run(files.find(spec(**{"java_home": str(java)} | settings), lambda _: None)).home


def jars(home: Path) -> list[str]:
    return sorted(path.relative_to(home).as_posix() for path in home.rglob("*.jar") if path.is_file())


def mapped(home: Path) -> list[str]:
    return (home / "connectors/plugin-mapping.properties").read_text().splitlines()


OWN_JARS = [
    "connectors/connector-fake-9.9.9.jar", "lib/seatunnel-hadoop-9.9.9-optional.jar",
    "plugins/Jdbc/lib/mysql-connector-j-1.0.jar", "starter/seatunnel-engine-server-9.9.9.jar",
]  # fmt: skip


def test_it_lies_in_the_folders_that_seatunnel_looks_into(repository: Repository) -> None:
    found = asyncio.run(files.find(spec(), lambda _: None))
    folder = Settings().engines_folder
    assert (found.home, found.java) == (folder / "seatunnel/9.9.9", folder / "java/17.0.0/bin/java")
    assert jars(found.home) == OWN_JARS and mapped(found.home) == ["seatunnel.source.FakeSource = connector-fake"]


def test_a_distribution_of_ones_own_is_used_and_a_folder_that_is_none_refused(
    repository: Repository, tmp_path: Path
) -> None:
    shutil.copytree(home(), tmp_path / "own")
    assert home(seatunnel_home=str(tmp_path / "own")) == tmp_path / "own"
    with pytest.raises(Invalid, match=f"HEADGATE_SEATUNNEL_HOME={tmp_path} has no starter") as error:
        home(seatunnel_home=str(tmp_path))
    assert error.value.field == "HEADGATE_SEATUNNEL_HOME"


def test_it_is_listed_fetched_and_verified_like_every_other(engines: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADGATE_ENGINES", "seatunnel")
    code, said, _ = engines("list")
    assert code == 0 and [line.split()[:2] for line in said.splitlines()] == [
        ["java-17.0.0", "absent"], ["flink-9.9.9", "absent"], ["seatunnel-9.9.9", "absent"],
    ]  # fmt: skip
    assert said.count("(the settings do not need it)") == 1
    assert engines("fetch")[0] == 0
    code, said, _ = engines("verify")
    assert code == 0 and "seatunnel-9.9.9: every file is what was unpacked" in said and "flink" not in said
    found = {each.check: each.state for each in installation.engines(Settings())}
    assert found == {"java-17.0.0": State.OK, "seatunnel-9.9.9": State.OK}
    (Settings().engines_folder / "seatunnel/9.9.9/lib/seatunnel-hadoop-9.9.9-optional.jar").unlink()
    assert engines("verify", "seatunnel-9.9.9")[0] == 1
    assert {each.check: each.state for each in installation.engines(Settings())}["seatunnel-9.9.9"] is State.FAIL


def test_a_jar_that_a_newer_version_tells_of_is_fetched_too(
    engines: Engines, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = home()
    data, more = files._data(), repository.keep("org.tiny:more:1.0")
    data["9.9.9"]["jars"]["starter"].append((more.coordinate, more.size, more.sha256))
    assert "seatunnel-9.9.9  damaged" in engines("list")[1]
    code, said, _ = engines("verify", "seatunnel-9.9.9")
    assert code == 1 and "damaged: starter/more-1.0.jar is not there; fetch it again" in said
    assert home() == before and "starter/more-1.0.jar" in jars(before)
    assert engines("verify", "seatunnel-9.9.9")[0] == 0


def test_known_connectors_are_on_the_class_path_of_engines_that_start_later(engines: Engines) -> None:
    before = home()
    code, said, _ = engines("add", "seatunnel-9.9.9", "connector-kafka", "connector-redis")
    assert code == 0 and f"seatunnel-9.9.9: added connector-redis ({OURS}:connector-redis:9.9.9)" in said
    after = home()
    assert jars(after) == sorted(
        [*OWN_JARS, "connectors/connector-kafka-9.9.9.jar", "connectors/connector-redis-9.9.9.jar"]
    )
    assert mapped(after) == [
        "seatunnel.source.FakeSource = connector-fake", "seatunnel.source.Kafka = connector-kafka",
        "seatunnel.sink.Kafka = connector-kafka", "seatunnel.sink.Redis = connector-redis",
    ]  # fmt: skip
    assert before != after and jars(before) == OWN_JARS
    assert home() == after


def test_a_driver_goes_where_all_jobs_find_it(engines: Engines, repository: Repository, tmp_path: Path) -> None:
    repository.keep("org.tiny:driver:1.0", known=False)
    (tmp_path / "my-driver.jar").write_bytes(repositories.jar_of({"a": "b"}))
    assert engines("add", "seatunnel-9.9.9", "org.tiny:driver:1.0", str(tmp_path / "my-driver.jar"))[0] == 0
    added = home()
    assert {"plugins/added/lib/driver-1.0.jar", "plugins/added/lib/my-driver.jar"} < set(jars(added))
    listed = engines("list")[1]
    lines = [line.split() for line in listed.splitlines() if line.startswith("  ")]
    assert [(words[0], words[1], words[-1]) for words in lines] == [
        ("driver", "added", "org.tiny:driver:1.0"), ("my-driver", "added", str(tmp_path / "my-driver.jar")),
    ]  # fmt: skip


def test_an_engine_keeps_its_home_when_a_jar_is_removed(engines: Engines) -> None:
    engines("add", "seatunnel-9.9.9", "connector-kafka")
    running = home()
    code, said, _ = engines("remove", "seatunnel-9.9.9", "connector-kafka")
    assert (code, said) == (0, "seatunnel-9.9.9: removed connector-kafka\n")
    assert jars(home()) == OWN_JARS
    assert "connectors/connector-kafka-9.9.9.jar" in jars(running)


def test_a_home_that_no_engine_uses_goes_away(engines: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    engines("add", "seatunnel-9.9.9", "connector-kafka")
    monkeypatch.setattr(homes, "_hold", Path.is_dir)  # as if its process had ended
    unused = home()
    assert unused.is_dir()
    engines("add", "seatunnel-9.9.9", "connector-redis")
    assert home() != unused
    assert not unused.exists() and [path.name for path in unused.parent.glob(f"{unused.name}*")] == []


def test_the_home_of_a_server_that_outlives_its_connection_stays(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines("add", "seatunnel-9.9.9", "connector-kafka")
    monkeypatch.setattr(homes, "_hold", Path.is_dir)
    used = home()
    server = subprocess.Popen([sys.executable, "-c", "input()", f"-DSEATUNNEL_HOME={used}"], stdin=subprocess.PIPE)
    engines("remove", "seatunnel-9.9.9", "connector-kafka")
    home()
    assert used.is_dir()
    server.communicate(b"\n")
    home()
    assert not used.exists()


def test_what_was_added_stays_when_the_engine_is_fetched_again(engines: Engines) -> None:
    engines("fetch", "seatunnel-9.9.9")
    engines("add", "seatunnel-9.9.9", "connector-kafka")
    server = Settings().engines_folder / "seatunnel/9.9.9/starter/seatunnel-engine-server-9.9.9.jar"
    server.write_text("damaged")
    assert engines("fetch", "seatunnel-9.9.9")[0] == 0
    assert "and so are the 1 that were added" in engines("verify", "seatunnel-9.9.9")[1]
    assert "connectors/connector-kafka-9.9.9.jar" in jars(home())


def test_a_damaged_added_jar_is_found_and_added_again(engines: Engines) -> None:
    engines("fetch", "seatunnel-9.9.9")
    engines("add", "seatunnel-9.9.9", "connector-kafka")
    file = Settings().engines_folder / "seatunnel/9.9.9.added/connector-kafka-9.9.9.jar"
    file.write_text("damaged")
    code, said, _ = engines("verify", "seatunnel-9.9.9")
    again = f"python -P -m services engines add seatunnel-9.9.9 {OURS}:connector-kafka:9.9.9"
    assert code == 1 and f"damaged: connector-kafka, which was added; add it again: {again}" in said
    code, _, said = engines("add", "seatunnel-9.9.9", "connector-redis")
    assert code == 1 and "connector-kafka is damaged" in said
    assert engines("add", "seatunnel-9.9.9", f"{OURS}:connector-kafka:9.9.9")[0] == 0
    assert engines("verify", "seatunnel-9.9.9")[0] == 0


def test_a_connector_of_ones_own_says_what_it_holds(engines: Engines, tmp_path: Path) -> None:
    (tmp_path / "connector-mine-1.jar").write_bytes(repositories.jar_of(FACTORY))
    code, _, said = engines("add", "seatunnel-9.9.9", str(tmp_path / "connector-mine-1.jar"))
    assert code == 1 and "of which plug-ins? Say it: --plugins source.Name,sink.Name" in said
    assert not (Settings().engines_folder / "seatunnel/9.9.9.added").exists()
    mine = ("add", "seatunnel-9.9.9", str(tmp_path / "connector-mine-1.jar"), "--plugins", "source.Mine, sink.Mine")
    assert engines(*mine)[0] == 0


def test_its_plugins_are_mapped(engines: Engines, tmp_path: Path) -> None:
    (tmp_path / "connector-mine-1.jar").write_bytes(repositories.jar_of(FACTORY))
    engines("add", "seatunnel-9.9.9", str(tmp_path / "connector-mine-1.jar"), "--plugins", "source.Mine")
    assert "seatunnel.source.Mine = connector-mine-1" in mapped(home())


@pytest.mark.parametrize(
    ("jar", "said"),
    [
        ("connector-nothing", "'connector-nothing' is no coordinate (group:artifact:version) and no .jar file; known"),
        ("a:b", "'a:b' is no coordinate; write group:artifact:version"),
        ("../../x:y:1", "is no coordinate"),
        ("/no/such.jar", "there is no file /no/such.jar"),
        ("connector-fake", "is no coordinate"),
        (f"{OURS}:connector-fake:9.9.9", "connector-fake is a part of seatunnel-9.9.9 already"),
        ("org.tiny:gone:1.0", "has no org.tiny:gone:1.0"),
    ],
)
def test_what_cannot_be_added_is_told_and_changes_nothing(engines: Engines, jar: str, said: str) -> None:
    engines("add", "seatunnel-9.9.9", "connector-kafka")
    code, _, told = engines("add", "seatunnel-9.9.9", "connector-redis", jar)
    assert code == 1 and said in told
    assert [line.split()[0] for line in engines("list")[1].splitlines() if line.startswith("  ")] == ["connector-kafka"]


def test_a_file_that_is_no_jar_is_refused(engines: Engines, tmp_path: Path) -> None:
    (tmp_path / "text.jar").write_text("no zip")
    code, _, said = engines("add", "flink-9.9.9", str(tmp_path / "text.jar"))
    assert code == 1 and f"{tmp_path}/text.jar is no jar" in said


def test_names_that_there_are_not_are_answered_with_those_there_are(engines: Engines) -> None:
    assert "there is no 'spark-3'; there are: flink-9.9.9, seatunnel-9.9.9" in engines("add", "spark-3", "x")[2]
    engines("add", "seatunnel-9.9.9", "connector-kafka")
    code, _, said = engines("remove", "seatunnel-9.9.9", "kafka")
    assert code == 1 and "no 'kafka' was added to seatunnel-9.9.9; there are: connector-kafka" in said


def test_jars_added_to_flink_are_on_its_class_path(engines: Engines, repository: Repository, tmp_path: Path) -> None:
    repository.keep("org.tiny:flink-format:1.0", known=False)
    assert engines("add", "flink-9.9.9", "org.tiny:flink-format:1.0")[0] == 0
    found = asyncio.run(flink_files.find(spec("flink"), lambda _: None))
    argv = launch.argv(spec("flink"), found, tmp_path)
    classes = argv[argv.index("-cp") + 1].split(":")
    added = Settings().engines_folder / "flink/9.9.9.added/flink-format-1.0.jar"
    assert str(added) in classes and added.is_file()
    assert engines("remove", "flink-9.9.9", "flink-format")[0] == 0
    assert asyncio.run(flink_files.find(spec("flink"), lambda _: None)).added == ()


def test_the_data_of_the_versions_that_are_offered_is_whole() -> None:
    for version in files._data():
        told = files.distribution(version)
        names = [jar.file_name for jar in told.all_jars]
        assert len(set(names)) == len(names)
        assert all(jar.size > 0 and len(jar.sha256) == 64 for jar in (*told.all_jars, *told.more))
        assert {jar.artifact for jar in told.jars["connectors"]} <= told.plugins.keys()
        assert Jar.of(told.to_add["connector-kafka"].coordinate).version == version
