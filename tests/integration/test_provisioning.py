"""Engine files by a real pip from an index of the test's own: no network, the smallest packages there are."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import io
import os
import signal
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from commons.process.errors import Invalid, Unavailable
from commons.process.settings import Settings
from services.engineconn.engine import EngineSpec
from services.engineconn.flink import files
from services.engineconn.provisioning import Download, provide
from services.entrance.intake import Intake
from services.entrance.users import Asker
from services.entrance.wire.jobs import Submit

WHEEL = "tiny-1.0-py3-none-any.whl"
METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"


def wheel(folder: Path, package: str, version: str, content: dict[str, str]) -> Path:
    """A wheel of these files."""
    name = f"{package.replace('-', '_')}-{version}"
    path = folder / f"{name}-py3-none-any.whl"
    about = {
        f"{name}.dist-info/METADATA": METADATA.format(name=package, version=version),
        f"{name}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{name}.dist-info/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for inner, text in (content | about).items():
            archive.writestr(inner, text)
    return path


def sdist(folder: Path, package: str, version: str, content: dict[str, str]) -> Path:
    """An sdist of these files; pip runs its setup.py to learn its name."""
    name = f"{package}-{version}"
    about = {
        "setup.py": f"from setuptools import setup\nsetup(name={package!r}, version={version!r}, py_modules=[])\n",
        "PKG-INFO": METADATA.format(name=package, version=version),
    }
    path = folder / f"{name}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for inner, text in (content | about).items():
            member = tarfile.TarInfo(f"{name}/{inner}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def unpack(file: Path, folder: Path) -> None:
    zipfile.ZipFile(file).extractall(folder)


def visible(engines: Path) -> list[str]:
    """What is there beside lock files."""
    return sorted(path.name for path in engines.iterdir() if path.suffix != ".lock")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which pip finds its packages, and nowhere else."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setenv("PIP_NO_BUILD_ISOLATION", "0")  # pip reads "0" as no isolation: setuptools is not to be fetched
    (tmp_path / "index").mkdir()
    return tmp_path / "index"


@pytest.fixture
def tiny(index: Path) -> Download:
    file = wheel(index, "tiny", "1.0", {"tiny/data.txt": "content"})
    return Download("Tiny 1.0", "tiny", "1.0", [sha256(file)], file.stat().st_size, source=False)


async def test_the_first_time_fills_the_folder_and_the_second_starts_no_pip(
    tiny: Download, index: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    target = tmp_path / "engines" / "tiny" / "1.0"
    assert await provide(target, tiny, unpack, said.append) == target
    assert (target / "tiny/data.txt").read_text() == "content"
    assert visible(target.parent) == ["1.0"]
    assert said[0] == "Downloading Tiny 1.0: 0 of 0 MiB" and said[-1] == "Unpacking Tiny 1.0"
    (index / WHEEL).unlink()
    said.clear()
    assert await provide(target, tiny, unpack, said.append) == target
    assert said == []


async def test_another_file_than_expected_is_refused(index: Path, tmp_path: Path) -> None:
    file = wheel(index, "tiny", "1.0", {"tiny/data.txt": "tampered with"})
    wrong = Download("Tiny 1.0", "tiny", "1.0", ["0" * 64], file.stat().st_size, source=False)
    with pytest.raises(
        Unavailable, match=r"^Tiny 1\.0 could not be downloaded: .*SHA-256 differs.*HEADGATE_FLINK_HOME"
    ):
        await provide(tmp_path / "engines" / "1.0", wrong, unpack, lambda _: None)
    assert visible(tmp_path / "engines") == []


async def test_a_package_that_is_not_there_is_named_with_the_fix(index: Path, tmp_path: Path) -> None:
    missing = Download("Tiny 2.0", "tiny", "2.0", ["0" * 64], 1, source=False)
    with pytest.raises(Unavailable, match=r"^Tiny 2\.0 .*No matching distribution found for tiny==2\.0.*package index"):
        await provide(tmp_path / "engines" / "2.0", missing, unpack, lambda _: None)
    assert visible(tmp_path / "engines") == []


async def test_a_failed_unpacking_leaves_nothing_and_the_next_try_succeeds(tiny: Download, tmp_path: Path) -> None:
    def fail(file: Path, folder: Path) -> None:
        (folder / "half").touch()
        raise OSError(28, "No space left on device")

    target = tmp_path / "engines" / "1.0"
    with pytest.raises(Unavailable, match=r"Tiny 1\.0 cannot be kept in .*No space left.*HEADGATE_ENGINES_HOME"):
        await provide(target, tiny, fail, lambda _: None)
    assert visible(target.parent) == []
    await provide(target, tiny, unpack, lambda _: None)
    assert sorted(path.name for path in target.iterdir()) == ["tiny", "tiny-1.0.dist-info"]


PROVIDE = """
import asyncio, sys, time, zipfile
from pathlib import Path
from services.engineconn.provisioning import Download, provide

target, sha256, seconds = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])

def unpack(file, folder):
    archive = zipfile.ZipFile(file)
    archive.extract("tiny/data.txt", folder)
    print("half", flush=True)
    time.sleep(seconds)
    archive.extractall(folder)

download = Download("Tiny 1.0", "tiny", "1.0", [sha256], 1, source=False)
print(asyncio.run(provide(target, download, unpack, lambda line: print(line, flush=True))))
"""


class Provider:
    """`provide` in a process of its own, in a group with its pip; `seconds` is how long its unpacking takes."""

    def __init__(self, target: Path, download: Download, seconds: float = 0.0) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", PROVIDE, str(target), *download.sha256, str(seconds)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        self.said: list[str] = []

    def until(self, text: str) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.said.append(line.strip())
            if text in line:
                return
        raise AssertionError(self.said)

    def kill(self) -> None:
        """SIGKILL to the provider alone, as the kernel would do it: its pip runs on."""
        self._process.kill()
        self._process.wait()

    def end(self) -> str:
        """The last line of one that ended well."""
        out, _ = self._process.communicate(timeout=60)
        self.said += out.splitlines()
        assert self._process.returncode == 0, self.said
        return self.said[-1]

    def clean(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()


@pytest.fixture
def provider(tmp_path: Path, tiny: Download) -> Iterator[Callable[..., Provider]]:
    started: list[Provider] = []

    def provider(seconds: float = 0.0) -> Provider:
        started.append(Provider(tmp_path / "engines" / "1.0", tiny, seconds))
        return started[-1]

    yield provider
    for one in started:
        one.clean()


class SlowIndex(http.server.ThreadingHTTPServer):
    """An index that gives half of the file, and the rest once `go_on` is set; `asked` counts."""

    def __init__(self, file: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.file = file
        self.asked = 0
        self.half_given = threading.Event()
        self.go_on = threading.Event()


class _Answer(http.server.BaseHTTPRequestHandler):
    server: SlowIndex

    def do_GET(self) -> None:
        name = self.server.file.name
        is_file = self.path.endswith(name)
        body = self.server.file.read_bytes() if is_file else f'<a href="/{name}">{name}</a>'.encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/zip" if is_file else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        half = len(body) // 2
        self.wfile.write(body[:half])
        if is_file:
            self.server.asked += 1
            self.server.half_given.set()
            self.server.go_on.wait(60)
        with contextlib.suppress(OSError):  # whoever asked may be gone
            self.wfile.write(body[half:])

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def slow_index(index: Path, tiny: Download, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowIndex]:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    with SlowIndex(index / WHEEL) as server:
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_address[1]}/simple")
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield server
        server.go_on.set()
        server.shutdown()
        serving.join()


def is_whole(target: Path) -> bool:
    return (target / "tiny/data.txt").read_text() == "content" and (target / "tiny-1.0.dist-info").is_dir()


def test_killed_while_it_downloads_nothing_is_visible_and_the_next_starts_over(
    slow_index: SlowIndex, provider: Callable[..., Provider], tmp_path: Path
) -> None:
    target = tmp_path / "engines" / "1.0"
    first = provider()
    assert slow_index.half_given.wait(60)
    first.kill()
    assert not target.exists()
    (left,) = visible(target.parent)
    assert left.startswith("1.0.part")

    second = provider()
    second.until("Downloading Tiny 1.0")
    slow_index.go_on.set()  # the first one's pip goes on too, and may not get in the way
    assert second.end() == str(target)
    assert is_whole(target) and visible(target.parent) == ["1.0"] and slow_index.asked == 2


def test_killed_while_it_unpacks_nothing_is_visible_and_the_next_starts_over(
    provider: Callable[..., Provider], tmp_path: Path
) -> None:
    target = tmp_path / "engines" / "1.0"
    first = provider(seconds=600)
    first.until("half")
    assert not target.exists()
    first.kill()
    assert not target.exists()
    second = provider()
    assert second.end() == str(target)
    assert is_whole(target) and visible(target.parent) == ["1.0"]
    assert any(line.startswith("Downloading") for line in second.said)


def test_two_at_once_download_once_and_both_get_the_folder(
    slow_index: SlowIndex, provider: Callable[..., Provider], tmp_path: Path
) -> None:
    target = tmp_path / "engines" / "1.0"
    both = provider(), provider()
    assert slow_index.half_given.wait(60)
    for one in both:
        one.until("Tiny 1.0")
    assert sorted(one.said[-1].partition(":")[0] for one in both) == [
        "Another process downloads Tiny 1.0", "Downloading Tiny 1.0",
    ]  # fmt: skip
    slow_index.go_on.set()
    assert [one.end() for one in both] == [str(target), str(target)]
    assert is_whole(target) and slow_index.asked == 1
    assert sorted(any(line == "Unpacking Tiny 1.0" for line in one.said) for one in both) == [False, True]


@pytest.fixture
def distribution(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flink 9.9.9 and Java 17 as the package index keeps them, but tiny."""
    flink = sdist(
        index, "tiny-flink", "9.9.9",
        {
            "deps/lib/flink-dist-9.9.9.jar": "dist",
            "deps/opt/flink-python-9.9.9.jar": "python",
            "deps/plugins/metrics/metrics.jar": "plugin",
            "deps/bin/flink": "not needed",
        },
    )  # fmt: skip
    java = wheel(
        index, "tiny-java", "17.0.0",
        {"tiny_java/java-runtime/bin/java": "#!/bin/sh\n", "tiny_java/java-runtime/lib/jspawnhelper": ""},
    )  # fmt: skip
    found = {
        "flink": {"9.9.9": {"package": "tiny-flink", "sha256": [sha256(flink)], "bytes": flink.stat().st_size}},
        "java": {"17.0.0": {"package": "tiny-java", "sha256": [sha256(java)], "bytes": java.stat().st_size}},
    }
    monkeypatch.setattr(files, "_distribution", lambda: found)
    monkeypatch.delenv("JAVA_HOME", raising=False)


def spec(tmp_path: Path, version: str = "9.9.9", **settings: str) -> EngineSpec:
    return EngineSpec("e", "flink", version, "u", "c", 1.0, 2**30, tmp_path / "w", tmp_path / "engines", settings)


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
    assert [line.partition(":")[0] for line in said if "Unpacking" in line or "Downloading" in line] == [
        "Downloading Java 17.0.0", "Unpacking Java 17.0.0", "Downloading Flink 9.9.9", "Unpacking Flink 9.9.9",
    ]  # fmt: skip


def test_what_would_lie_outside_is_not_unpacked(tmp_path: Path) -> None:
    content = {"deps/lib/a.jar": "a", "deps/lib/../../../escaped": "evil"}
    files._unpack_flink(sdist(tmp_path, "tiny-flink", "9.9.9", content), tmp_path / "to" / "home")
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
    with pytest.raises(Invalid, match=r"there are: flink-1\.19\.3$"):
        intake.accept(Submit("SELECT 1", "sql", "flink-1.20.5", "u", "c"), Asker("u", False), 0)


def test_a_folder_without_flink_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADGATE_FLINK_HOME", str(tmp_path))
    with pytest.raises(Invalid, match=f"HEADGATE_FLINK_HOME={tmp_path} has no lib/flink-dist-<version>.jar"):
        Intake(Settings())
