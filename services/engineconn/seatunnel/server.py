"""One Zeta server: its process, from the start to the end, and again after a crash."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import time
from pathlib import Path

from services.engineconn.engine import EngineSpec, environment
from services.engineconn.seatunnel import launch
from services.engineconn.seatunnel.files import Files
from services.engineconn.seatunnel.rest import BASE, Rest

START_SECONDS = 90.0
TERM_SECONDS = 3.0
LOOK_SECONDS = 2.0
SILENT_SECONDS = 20.0
PORTS_TRIED = 3
_COMPLAINT = re.compile(r"(?:Exception|Error)\b.*")


class NotStarted(Exception):
    """Why the server did not come up, in a line."""


class Server:
    """`gone` holds the reason once its process has ended, or was ended since it did not answer."""

    rest: Rest
    gone: asyncio.Future[str]

    def __init__(self, spec: EngineSpec, files: Files, workdir: Path) -> None:
        self._spec, self._files, self.workdir = spec, files, workdir
        self._process: asyncio.subprocess.Process | None = None
        self._watching: asyncio.Task[None] | None = None
        self._closed = False
        self.started = False

    async def start(self) -> None:
        """Returns when jobs are taken; a port that was taken meanwhile is not the end. Raises NotStarted."""
        await self.stop()
        for name in ("config", "tmp", launch.LOG_FOLDER):
            (self.workdir / name).mkdir(exist_ok=True)
        launch.checkpoints(self._spec).mkdir(parents=True, exist_ok=True)
        for left in reversed(range(PORTS_TRIED)):
            try:
                async with asyncio.timeout(START_SECONDS):
                    await self._once()
                return
            except NotStarted as error:
                await self.stop()
                if "already in use" not in str(error) or not left:
                    raise
            except (TimeoutError, OSError) as error:
                why = self._complaint() or str(error) or f"it was not ready after {START_SECONDS:g} s"
                await self.stop()
                raise NotStarted(why) from None

    async def stop(self) -> None:
        """End the process: SIGTERM, then SIGKILL. May be called more than once."""
        if self._watching is not None:
            self._watching.cancel()
        if self.started:
            self.started = False
            await self.rest.close()
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TERM_SECONDS):
                    await process.wait()
            if process.returncode is None:
                process.kill()
                await process.wait()

    def end(self) -> None:
        """Kill the process; `gone` tells so."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def close(self) -> None:
        """End the process for good: it is not started again."""
        self._closed = True
        await self.stop()

    async def _once(self) -> None:
        if self._closed:
            raise NotStarted("the engine was closed")
        port = _free_port()
        for name, text in launch.config(self._spec, self.workdir, port).items():
            (self.workdir / "config" / name).write_text(text)
        with (self.workdir / launch.OUT_FILE).open("wb") as output:
            self._process = process = await asyncio.create_subprocess_exec(
                *launch.argv(self._spec, self._files, self.workdir), cwd=self._spec.workspace,
                env={**environment(), "SEATUNNEL_HOME": str(self._files.home)},
                stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
        path = self._spec.settings.get("seatunnel_rest_path") or BASE
        self.rest, self.started = Rest(f"http://{launch.HOST}:{port}", path), True
        while not await self.rest.ready():
            if process.returncode is not None:
                raise NotStarted(self._complaint() or f"its process ended with code {process.returncode}")
            await asyncio.sleep(0.05)
        self.gone = asyncio.get_running_loop().create_future()
        self._watching = asyncio.create_task(self._watch(process, self.rest, self.gone))

    async def _watch(self, process: asyncio.subprocess.Process, rest: Rest, gone: asyncio.Future[str]) -> None:
        exiting = asyncio.create_task(process.wait())
        heard = time.monotonic()
        try:
            while not exiting.done():
                await asyncio.wait({exiting}, timeout=LOOK_SECONDS)
                if exiting.done():
                    break
                if await rest.ready():
                    heard = time.monotonic()
                elif time.monotonic() - heard > SILENT_SECONDS:
                    process.kill()
                    gone.set_result(f"SeaTunnel's server did not answer for {SILENT_SECONDS:g} s and was ended")
                    return
            why = f"SeaTunnel's server ended with code {process.returncode}: {self._complaint()}"
            gone.set_result(why.rstrip(": "))
        finally:
            exiting.cancel()

    def _complaint(self) -> str:
        """The last that looks like a reason, of what the process wrote outside of its log, then of its log."""
        for path in (self.workdir / launch.OUT_FILE, launch.engine_log(self.workdir)):
            try:
                lines = path.read_bytes()[-100_000:].decode("utf-8", "replace").splitlines()
            except OSError:
                continue
            found = [line for line in lines if _COMPLAINT.search(line) and not line.lstrip().startswith("at ")]
            if found:
                return found[-1].strip()[:300]
        return ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((launch.HOST, 0))
        return int(probe.getsockname()[1])
