"""Engine files that come as packages of the Python package index, by a real pip: its own settings say from where."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from commons.process.errors import HeadgateError, Unavailable
from protocol import codes
from services.engineconn.provisioning import Fill, Say, telling

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


def fill(download: Download, unpack: Callable[[Path, Path], None]) -> Fill:
    """Fetches the file and has `unpack(file, folder)` fill the folder. Raises Unavailable with pip's last words."""

    async def fill(part: Path, folder: Path, say: Say) -> None:
        file = await _fetch(download, part, say)
        say(f"Unpacking {download.title}")
        await asyncio.to_thread(unpack, file, folder)

    return fill


async def _fetch(download: Download, part: Path, say: Say) -> Path:
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
    try:
        async with telling(lambda: _line(download, part), say):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    files = list((part / "file").iterdir())
    if process.returncode != 0 or not files:
        raise _failed(download, output.decode("utf-8", "replace"))
    return files[0]


def _line(download: Download, part: Path) -> str:
    have = 0
    for path in part.rglob("*"):
        with contextlib.suppress(OSError):
            have += path.stat().st_size if path.is_file() else 0
    return f"Downloading {download.title}: {min(have, download.size) >> 20} of {download.size >> 20} MiB"


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
