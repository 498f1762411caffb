"""A JVM of an engine, in a folder of its own: what it logs, what it prints, what it complains of."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from services.engineconn.flink.launch import ERROR_FILE, LOG4J, LOG_FILE, OUT_FILE

STOP_SECONDS = 2.0
_ERROR = re.compile(r"^[-\d]+ [:.\d]+ (ERROR|FATAL) ")


class Process:
    """Started again and again at will, one at a time; the files in `folder` are appended to."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self._process: asyncio.subprocess.Process | None = None
        folder.mkdir(exist_ok=True)
        for part in ("tmp", "upload", "web"):
            (folder / part).mkdir(exist_ok=True)
        (folder / "log4j.properties").write_text(LOG4J)
        for file in (self.log, self.out):
            file.touch()

    @property
    def log(self) -> Path:
        return self.folder / LOG_FILE

    @property
    def out(self) -> Path:
        return self.folder / OUT_FILE

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self, argv: Sequence[str], workspace: Path, environment: Mapping[str, str]) -> None:
        """It works in the tenant's workspace, where user code finds relative paths. Raises OSError."""
        with (self.folder / ERROR_FILE).open("ab") as errors, self.out.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *argv, cwd=workspace, env=dict(environment), stdin=asyncio.subprocess.PIPE, stdout=output, stderr=errors
            )

    async def ended(self) -> str:
        """Why, once it has ended."""
        assert self._process is not None
        code = await self._process.wait()
        return f"{self.name} ended with code {code}: {self.last_complaint()}".rstrip(": ")

    def kill(self) -> None:
        """Harmless when it has ended."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def stop(self) -> None:
        """Ask it to end, by closing its standard input and by SIGTERM; then make it."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        assert process.stdin is not None
        process.stdin.close()
        with contextlib.suppress(TimeoutError, ProcessLookupError):
            process.terminate()
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        self.kill()
        await process.wait()

    def last_complaint(self) -> str:
        """The last line of its stderr, or the last error in its log."""
        complaints = [line for line in _lines(self.folder / ERROR_FILE) if not line.startswith("WARNING: ")]
        complaints = complaints or [line for line in _lines(self.log) if _ERROR.match(line)]
        return complaints[-1][:300] if complaints else ""


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text("utf-8", "replace").strip().splitlines()
    except OSError:
        return []
