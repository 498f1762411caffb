"""Engine files: fetched from the Python package index, verified, unpacked once, shared by all who need them.

Nothing half-done is ever visible: work goes on in a folder with `.part` in its name, under a lock that ends with its
holder, and what an interrupted try left is thrown away by the next.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from commons.process.errors import HeadgateError, Unavailable
from protocol import codes

SAY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Download:
    """One file of a package, by hash; `title` is what users read, `size` in bytes."""

    title: str
    package: str
    version: str
    sha256: Sequence[str]
    size: int
    source: bool
    """An sdist, otherwise a wheel."""


async def provide(
    target: Path, download: Download, unpack: Callable[[Path, Path], None], say: Callable[[str], None]
) -> Path:
    """`target`, filled by `unpack(file, folder)`. Raises Unavailable with pip's last words and the fix."""
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    lock = (target.parent / f"{target.name}.lock").open("a")
    with lock:
        await _locked(lock.fileno(), download, say)
        if target.is_dir():
            return target
        part = target.parent / f"{target.name}.part"
        shutil.rmtree(part, ignore_errors=True)
        with _cleaned(part):
            file = await _fetch(download, part, say)
            say(f"Unpacking {download.title}")
            await asyncio.to_thread(unpack, file, part / "unpacked")
            (part / "unpacked").rename(target)
    return target


async def _locked(descriptor: int, download: Download, say: Callable[[str], None]) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            say(f"Another process downloads {download.title}: waiting for it")
            await asyncio.sleep(SAY_SECONDS)


@contextlib.contextmanager
def _cleaned(part: Path) -> Iterator[None]:
    (part / "unpacked").mkdir(parents=True)
    try:
        yield
    finally:
        shutil.rmtree(part, ignore_errors=True)


async def _fetch(download: Download, part: Path, say: Callable[[str], None]) -> Path:
    """The downloaded file; pip checks its hash."""
    (part / "tmp").mkdir()
    (part / "file").mkdir()
    hashes = " ".join(f"--hash=sha256:{value}" for value in download.sha256)
    (part / "requirement").write_text(f"{download.package}=={download.version} {hashes}\n")
    kind = ["--no-binary", ":all:"] if download.source else ["--only-binary", ":all:"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-cache-dir",
        "--no-deps",
        *kind, "--require-hashes", "-r", str(part / "requirement"), "-d", str(part / "file"),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "TMPDIR": str(part / "tmp")},
    )  # fmt: skip
    telling = asyncio.create_task(_tell(download, part, say))
    try:
        output, _ = await process.communicate()
    finally:
        telling.cancel()
        if process.returncode is None:
            process.kill()
    files = list((part / "file").iterdir())
    if process.returncode != 0 or not files:
        raise _failed(download, output.decode("utf-8", "replace"))
    return files[0]


async def _tell(download: Download, part: Path, say: Callable[[str], None]) -> None:
    while True:
        have = 0
        for path in part.rglob("*"):
            with contextlib.suppress(OSError):
                have += path.stat().st_size if path.is_file() else 0
        say(f"Downloading {download.title}: {min(have, download.size) >> 20} of {download.size >> 20} MiB")
        await asyncio.sleep(SAY_SECONDS)


def _failed(download: Download, output: str) -> HeadgateError:
    last = next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "pip said nothing")
    return Unavailable(
        codes.ENGINE_FILES,
        f"{download.title} could not be downloaded: {last[:300]}. Check that pip reaches its package index, or use a "
        "distribution of your own (HEADGATE_FLINK_HOME, HEADGATE_JAVA_HOME)",
    )
