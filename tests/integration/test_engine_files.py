"""`python -P -m services engines …` on the smallest packages there are, by a real pip."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from commons.process.settings import Settings
from services.engineconn import sums
from services.engineconn.flink import files
from services.tools import command, engine_files, installation
from services.tools.findings import State

JAR = "lib/flink-dist-9.9.9.jar"
Engines = Callable[..., tuple[int, str]]


@pytest.fixture
def home(distribution: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HEADGATE_FLINK_HOME", "HEADGATE_JAVA_HOME", "HEADGATE_ENGINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HEADGATE_ENGINES_HOME", str(tmp_path / "engines"))
    return tmp_path / "engines"


@pytest.fixture
def engines(home: Path, capsys: pytest.CaptureFixture[str]) -> Engines:
    """Runs the tool: its exit code and what it wrote to stdout."""

    def engines(*words: str) -> tuple[int, str]:
        arguments = command.parse(["engines", *words])
        code = int(arguments.run(arguments))
        return code, capsys.readouterr().out

    return engines


@pytest.fixture
def flink(engines: Engines, home: Path) -> Path:
    assert engines("fetch")[0] == 0
    return home / "flink" / "9.9.9"


def flip(file: Path) -> None:
    """One bit of the first byte is another."""
    content = bytearray(file.read_bytes())
    content[0] ^= 1
    file.write_bytes(content)


def states(listed: str) -> dict[str, str]:
    return {words[0]: words[1] for words in (line.split() for line in listed.splitlines())}


def left_behind(home: Path) -> list[Path]:
    return [path for path in home.rglob("*") if ".part" in path.name or path.name == "replaced"]


def test_what_is_absent_is_fetched_and_listed_and_verified(engines: Engines, home: Path) -> None:
    code, listed = engines("list")
    assert (code, states(listed)) == (0, {"java-17.0.0": "absent", "flink-9.9.9": "absent"})
    assert not home.exists()
    assert engines("verify") == (0, "")
    code, said = engines("fetch")
    assert code == 0 and f"flink-9.9.9: ready in {home}/flink/9.9.9" in said
    assert states(engines("list")[1]) == {"java-17.0.0": "ready", "flink-9.9.9": "ready"}
    code, said = engines("verify")
    assert code == 0 and said.count("every file is what was unpacked") == 2


def test_what_is_whole_is_not_fetched_again(engines: Engines, flink: Path, index: Path) -> None:
    shutil.rmtree(index)
    before = flink.stat().st_ino
    assert engines("fetch")[0] == 0
    assert flink.stat().st_ino == before


def test_a_flipped_byte_is_found_and_fetch_mends_it(engines: Engines, flink: Path, home: Path) -> None:
    flip(flink / JAR)
    code, said = engines("verify", "flink-9.9.9")
    assert (code, said) == (
        1,
        f"flink-9.9.9: damaged: {JAR} differs; fetch it again: python -P -m services engines fetch flink-9.9.9\n",
    )
    found = {each.check: each for each in installation.engines(Settings())}
    assert (found["flink-9.9.9"].state, found["java-17.0.0"].state) == (State.FAIL, State.OK)
    assert JAR in found["flink-9.9.9"].found and "engines fetch flink-9.9.9" in found["flink-9.9.9"].fix
    with (flink / JAR).open("rb") as held_by_an_engine:
        damaged = (flink / JAR).read_bytes()
        assert engines("fetch", "flink-9.9.9")[0] == 0
        assert held_by_an_engine.read() == damaged
    assert (flink / JAR).read_text() == "dist"
    assert engines("verify", "flink-9.9.9")[0] == 0
    assert left_behind(home) == []


@pytest.mark.parametrize(
    ("damage", "said", "state"),
    [
        (lambda flink: (flink / JAR).unlink(), f"{JAR} is gone", "damaged"),
        (lambda flink: (flink / "lib/more.jar").touch(), "lib/more.jar was added", "ready"),
        (lambda flink: (flink / JAR).write_text(""), f"{JAR} differs", "ready"),
        (lambda flink: (flink / sums.NAME).write_bytes(b"\xff\n"), "was added", "damaged"),
    ],
    ids=["gone", "added", "emptied", "sums"],
)
def test_each_kind_of_damage_is_named_and_mended(
    engines: Engines, flink: Path, damage: Callable[[Path], object], said: str, state: str
) -> None:
    damage(flink)
    assert states(engines("list")[1])["flink-9.9.9"] == state
    code, told = engines("verify")
    assert code == 1 and said in told and "java-17.0.0: every file is what was unpacked" in told
    assert engines("fetch")[0] == 0
    assert engines("verify")[0] == 0


def test_a_tree_without_sums_is_not_said_to_be_good_or_bad(engines: Engines, flink: Path) -> None:
    (flink / sums.NAME).unlink()
    flip(flink / JAR)
    code, said = engines("verify", "flink-9.9.9")
    assert code == 1 and "cannot be verified (there is no SHA256SUMS to compare with)" in said
    assert {each.check: each.state for each in installation.engines(Settings())}["flink-9.9.9"] is State.WARN
    assert engines("fetch", "flink-9.9.9")[0] == 0
    assert engines("verify", "flink-9.9.9")[0] == 0
    assert (flink / JAR).read_text() == "dist"


def test_a_link_to_a_tree_is_replaced_and_the_tree_stays(engines: Engines, flink: Path, home: Path) -> None:
    elsewhere = home.parent / "elsewhere"
    flink.rename(elsewhere)
    flink.symlink_to(elsewhere)
    assert engines("verify", "flink-9.9.9")[0] == 0
    flip(elsewhere / JAR)
    assert engines("verify", "flink-9.9.9")[0] == 1
    assert engines("fetch", "flink-9.9.9")[0] == 0
    assert not flink.is_symlink() and (flink / JAR).read_text() == "dist"
    assert (elsewhere / JAR).read_text() == "eist"


def test_what_cannot_be_fetched_leaves_what_there_is(engines: Engines, flink: Path, home: Path, index: Path) -> None:
    flip(flink / JAR)
    next(index.glob("tiny-flink*")).unlink()
    shutil.rmtree(home / "java")
    code, said = engines("fetch")
    assert code == 1 and said == f"java-17.0.0: ready in {home}/java/17.0.0\n"
    assert (flink / JAR).read_text() == "eist"
    assert left_behind(home) == []


async def test_of_two_at_once_one_mends_and_the_other_finds_it_whole(flink_home: Path) -> None:
    flip(flink_home / "flink/9.9.9" / JAR)
    said: list[str] = []
    package = files.package(flink_home, "9.9.9")
    await asyncio.gather(*(package.provide(said.append, engine_files.is_whole) for _ in range(2)))
    assert said.count("Unpacking Flink 9.9.9") == 1 and "Another process downloads Flink 9.9.9: waiting for it" in said
    assert (flink_home / "flink/9.9.9" / JAR).read_text() == "dist"


@pytest.fixture
async def flink_home(distribution: None, tmp_path: Path) -> Path:
    await files.package(tmp_path, "9.9.9").provide(lambda _: None)
    return tmp_path


def test_a_name_that_there_is_not_is_answered_with_those_there_are(
    engines: Engines, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = command.parse(["engines", "fetch", "flink-1"])
    assert arguments.run(arguments) == 1
    assert "there is no 'flink-1'; there are: java-17.0.0, flink-9.9.9" in capsys.readouterr().err


def test_what_is_of_ones_own_is_not_fetched(
    engines: Engines, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADGATE_FLINK_HOME", str(tmp_path / "flink"))
    monkeypatch.setenv("HEADGATE_JAVA_HOME", str(tmp_path / "java"))
    assert engines("fetch") == (
        0, "nothing to fetch: the settings name no engine that needs files, or files of your own\n",
    )  # fmt: skip
    listed = engines("list")[1]
    assert listed.count("(the settings do not need it)") == 2 and f"{tmp_path}/java\n" in listed
    assert not home.exists()
