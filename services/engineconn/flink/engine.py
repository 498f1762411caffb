"""Flink as an engine: one JVM with a MiniCluster, driven through py4j for SQL and through REST for jobs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JNetworkError

from commons.process.errors import Unavailable
from protocol import codes
from services.engineconn.engine import (
    Engine,
    EngineSpec,
    Event,
    LogLine,
    Outcome,
    Progress,
    Task,
    TaskEnded,
    environment,
)
from services.engineconn.events import next_event
from services.engineconn.flink import files, launch
from services.engineconn.flink.jvm import Jvm
from services.engineconn.flink.limits import SelectLimits
from services.engineconn.flink.reach import Reach
from services.engineconn.flink.rest import Rest, fraction
from services.engineconn.flink.script import Script
from services.engineconn.flink.session import Unanswered
from services.engineconn.tail import tail, tail_log

# a dead JVM would otherwise print a traceback for every Java object that is let go
logging.getLogger("py4j").setLevel(logging.CRITICAL)

START_SECONDS = 120.0
LOOK_SECONDS = 2.0
SILENT_SECONDS = 20.0
POLL_SECONDS = 0.2
QUEUED_EVENTS = 16


def create() -> Engine:
    return Flink()


class Flink:
    """Opened once; a session for each task."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._jvm: Jvm | None = None
        self._rest: Rest | None = None
        self._script: Script | None = None
        self._death: asyncio.Task[str] | None = None
        self._cancelled: set[tuple[int, int]] = set()
        self._thread = ThreadPoolExecutor(1, "flink")

    async def open(self, spec: EngineSpec, workdir: Path, say: Callable[[str], None]) -> None:
        found = await files.find(spec, say)
        self._workdir = workdir
        own = spec.settings
        select = SelectLimits.of(own.get("flink_select_rows", ""), own.get("flink_select_seconds", ""))
        self._reach = Reach.of(own.get("flink_paths", ""), own.get("flink_set_keys", ""), select)
        for name in ("tmp", "upload", "web"):
            (workdir / name).mkdir(exist_ok=True)
        spec.workspace.mkdir(mode=0o700, parents=True, exist_ok=True)
        (workdir / "log4j.properties").write_text(launch.LOG4J)
        say("Starting Flink's JVM")
        try:
            async with asyncio.timeout(START_SECONDS):
                port, token = await self._start(spec, found, workdir)
            say("Starting Flink's cluster")
            rest_port = _free_port()
            self._settings = launch.session(spec.settings.get("runtime_mode", ""))
            self._rest = Rest(f"http://{launch.HOST}:{rest_port}")
            configuration = launch.cluster(workdir, rest_port)
            folders = [spec.workspace, workdir, *self._reach.folders]
            await self._blocking(lambda: self._connect(port, token, configuration, folders))
            async with asyncio.timeout(START_SECONDS):
                await self._slots()
            assert self._process is not None
            self._death = asyncio.create_task(self._watch(self._process, self._rest))
        except (TimeoutError, OSError) as error:
            last = _last_line(workdir / launch.ERROR_FILE)
            await self.close()
            what = f"Flink did not start: {last or type(error).__name__}"
            raise Unavailable(codes.ENGINE_START_FAILED, what) from None

    async def run(self, task: Task) -> AsyncIterator[Event]:
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[Event] = asyncio.Queue(QUEUED_EVENTS)

        def say(event: Event) -> None:  # waits when the reader is behind: memory stays bounded
            asyncio.run_coroutine_threadsafe(events.put(event), loop).result()

        assert self._jvm is not None
        script = self._script = Script(task, self._jvm, self._settings, self._reach, say)
        script.cancelled = (task.job_id, task.attempt) in self._cancelled
        working = asyncio.create_task(self._work(script, events))
        event: Event | None = None
        try:
            while not isinstance(event := await next_event(events, working), TaskEnded):
                yield event
        finally:
            if not isinstance(event, TaskEnded):  # whoever read has gone: the script must not wait for him
                await self._abandon(script, events, working)
            self._script = None
            self._cancelled.discard((task.job_id, task.attempt))
        yield event

    async def _abandon(self, script: Script, events: asyncio.Queue[Event], working: asyncio.Task[None]) -> None:
        script.cancelled = True
        while not working.done():
            if script.job_id and self._rest is not None:
                await self._rest.cancel(script.job_id)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await events.get()

    async def _work(self, script: Script, events: asyncio.Queue[Event]) -> None:
        """Run the script in the JVM's thread; its progress and Flink's lines come in between."""
        stop = asyncio.Event()
        progress = asyncio.create_task(self._progress(script, events))
        tails = self._tails(events, stop)
        try:
            ended = await self._blocking(script.run)
        except (Unanswered, Py4JNetworkError):
            ended = TaskEnded(Outcome.FAILED, codes.ENGINE_LOST, f"the engine died: {await self.died()}")
        finally:
            progress.cancel()
            stop.set()
            await asyncio.gather(*tails)
        await events.put(ended)

    async def cancel(self, task: Task) -> None:
        script = self._script
        self._cancelled.add((task.job_id, task.attempt))
        if script is None or (script.task.job_id, script.task.attempt) != (task.job_id, task.attempt):
            return
        script.cancelled = True
        # the job may only now be on its way to Flink: asked again until the statement ends
        until = time.monotonic() + 5.0
        while self._script is script and time.monotonic() < until:
            if script.job_id and self._rest is not None:
                await self._rest.cancel(script.job_id)
            await asyncio.sleep(POLL_SECONDS)

    async def died(self) -> str:
        assert self._death is not None
        return await asyncio.shield(self._death)

    async def _watch(self, process: asyncio.subprocess.Process, rest: Rest) -> str:
        """Why the JVM is gone; one that does not answer for long is ended."""
        exiting = asyncio.create_task(process.wait())
        heard = time.monotonic()
        try:
            while not exiting.done():
                await asyncio.wait({exiting}, timeout=LOOK_SECONDS)
                if await rest.answers():
                    heard = time.monotonic()
                elif not exiting.done() and time.monotonic() - heard > SILENT_SECONDS:
                    process.kill()
                    return f"Flink's JVM did not answer for {SILENT_SECONDS:g} s and was ended"
        finally:
            exiting.cancel()
        why = f"Flink's JVM ended with code {process.returncode}: {_last_line(self._workdir / launch.ERROR_FILE)}"
        return why.rstrip(": ")

    async def close(self) -> None:
        if self._death is not None:
            self._death.cancel()
        if self._rest is not None:
            await self._rest.close()
        if self._jvm is not None:
            self._jvm.close()
        process = self._process
        if process is not None and process.returncode is None:
            assert process.stdin is not None
            process.stdin.close()  # its gateway ends with its standard input
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2.0):
                    await process.wait()
            if process.returncode is None:
                process.kill()
                await process.wait()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _start(self, spec: EngineSpec, found: files.Files, workdir: Path) -> tuple[int, str]:
        """Start the JVM: the port and the token of its gateway, which it prints first."""
        out = workdir / launch.OUT_FILE
        with (workdir / launch.ERROR_FILE).open("ab") as errors, out.open("ab") as output:
            self._process = process = await asyncio.create_subprocess_exec(
                *launch.argv(spec, found, workdir), cwd=spec.workspace, env=launch.environment(found, environment()),
                stdin=asyncio.subprocess.PIPE, stdout=output, stderr=errors,
            )  # fmt: skip
        while (said := out.read_text()).count("\n") < 2:
            if process.returncode is not None:
                raise OSError("the JVM ended")
            await asyncio.sleep(0.01)
        port, token = said.split()
        os.truncate(out, 0)  # the token shall not lie about
        return int(port), token

    def _connect(self, port: int, token: str, configuration: Mapping[str, str], folders: Iterable[Path]) -> None:
        self._jvm = Jvm(port, token, self._workdir)
        self._jvm.start_cluster(configuration, launch.SLOTS, folders)

    async def _slots(self) -> None:
        assert self._rest is not None
        while await self._rest.slots() < launch.SLOTS:
            await asyncio.sleep(0.02)

    async def _progress(self, script: Script, events: asyncio.Queue[Event]) -> None:
        """Flink's own vertices, over all statements; never falling, since statements only go forward."""
        highest = 0.0
        assert self._rest is not None
        while True:
            await asyncio.sleep(POLL_SECONDS)
            vertices = await self._rest.vertices(script.job_id) if script.job_id else None
            now = (script.statement + (fraction(vertices) if vertices else 0.0)) / script.statements
            highest = max(highest, min(now, 0.99))
            await events.put(Progress(round(highest, 4), vertices or ()))

    def _tails(self, events: asyncio.Queue[Event], stop: asyncio.Event) -> list[asyncio.Task[None]]:
        """What Flink logs and what user code prints from now on; one task runs at a time, so it is this task's."""

        async def printed(line: str) -> None:
            await events.put(LogLine("INFO", line))

        return [
            asyncio.create_task(tail_log(self._workdir / launch.LOG_FILE, events.put, stop)),
            asyncio.create_task(tail(self._workdir / launch.OUT_FILE, printed, stop)),
        ]

    async def _blocking(self, call: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((launch.HOST, 0))
        return int(probe.getsockname()[1])


def _last_line(path: Path) -> str:
    try:
        lines = path.read_text("utf-8", "replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1][:300] if lines else ""
