"""Engine files by a real pip from an index of the test's own: no network, the smallest packages there are."""

from __future__ import annotations

import contextlib
import http.server
import os
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from commons.process.errors import Unavailable
from services.engineconn import sums
from services.engineconn.pip import Download, fill
from services.engineconn.provisioning import Package, Say
from tests.integration.conftest import sha256, wheel

WHEEL = "tiny-1.0-py3-none-any.whl"


def unpack(file: Path, folder: Path) -> None:
    zipfile.ZipFile(file).extractall(folder)


async def provide(target: Path, download: Download, unpack: Callable[[Path, Path], None], say: Say) -> Path:
    package = Package("tiny", download.title, target, download.size, fill(download, unpack))
    return await package.provide(say)


def visible(engines: Path) -> list[str]:
    """What is there beside lock files."""
    return sorted(path.name for path in engines.iterdir() if path.suffix != ".lock")


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
    assert sorted(path.name for path in target.iterdir()) == [sums.NAME, "tiny", "tiny-1.0.dist-info"]


PROVIDE = """
import asyncio, sys, time, zipfile
from pathlib import Path
from services.engineconn.pip import Download, fill
from services.engineconn.provisioning import Package

target, sha256, seconds = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])

def unpack(file, folder):
    archive = zipfile.ZipFile(file)
    archive.extract("tiny/data.txt", folder)
    print("half", flush=True)
    time.sleep(seconds)
    archive.extractall(folder)

download = Download("Tiny 1.0", "tiny", "1.0", [sha256], 1, source=False)
package = Package("tiny", download.title, target, download.size, fill(download, unpack))
print(asyncio.run(package.provide(lambda line: print(line, flush=True))))
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
