"""Flink as an engine: a JVM driven through py4j for SQL, and a cluster driven through REST for jobs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

from py4j.protocol import Py4JNetworkError

from commons.process.errors import Conflict, Invalid, Unavailable
from protocol import codes
from protocol.flink.deployment import MINI
from protocol.flink.jar import RUN_TYPE
from services.engineconn.engine import Engine, EngineSpec, Event, LogLine, Outcome, Task, TaskEnded
from services.engineconn.flink import files, launch
from services.engineconn.flink.cluster import Cluster, Ground, free_port
from services.engineconn.flink.gateway import Gateway
from services.engineconn.flink.jar import JarRun, Jars
from services.engineconn.flink.limits import SelectLimits
from services.engineconn.flink.mini import Mini
from services.engineconn.flink.operations import OPERATIONS
from services.engineconn.flink.reach import Reach
from services.engineconn.flink.rest import NoAnswer, Rest
from services.engineconn.flink.running import Running, Work
from services.engineconn.flink.script import Script
from services.engineconn.flink.session import Unanswered
from services.engineconn.flink.standalone import Standalone
from services.engineconn.flink.states import States

# a dead JVM would otherwise print a traceback for every Java object that is let go
logging.getLogger("py4j").setLevel(logging.CRITICAL)

START_SECONDS = 120.0
LOOK_SECONDS = 2.0
SILENT_SECONDS = 20.0
LAST_WORD_SECONDS = 2.0


def create() -> Engine:
    return Flink()


class Flink:
    """Opened once; a session for each task."""

    def __init__(self) -> None:
        self._gateway: Gateway | None = None
        self._cluster: Cluster | None = None
        self._rest: Rest | None = None
        self._jars: Jars | None = None
        self._running: Running | None = None
        self._death: asyncio.Task[str] | None = None
        self._telling: set[asyncio.Task[None]] = set()
        self._cancelled: set[tuple[int, int]] = set()
        self._heard = 0.0
        """When its REST has answered last."""

    async def open(self, spec: EngineSpec, workdir: Path, say: Callable[[str], None]) -> None:
        found = await files.find(spec, say)
        own, self._version = spec.settings, spec.version
        select = SelectLimits.of(own.get("flink_select_rows", ""), own.get("flink_select_seconds", ""))
        self._reach = Reach.of(own.get("flink_paths", ""), own.get("flink_set_keys", ""), select)
        state = spec.state / "flink"
        for folder in (spec.workspace, state):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        reached = [spec.workspace, workdir, state, *self._reach.folders]
        self._jars_folder = workdir / "jars"
        self._states = States(state, [spec.workspace, state, *self._reach.folders])
        ground = Ground(spec, found, workdir, state, reached, free_port(), self._tell)
        gateway = self._gateway = Gateway(workdir)
        try:
            say("Starting Flink's JVM")
            async with asyncio.timeout(START_SECONDS):
                await gateway.start(spec, found, reached)
            say(_starting(ground))
            cluster = self._cluster = Mini(ground) if ground.deployment.form == MINI else Standalone(ground)
            self._settings = launch.session(own.get("runtime_mode", ""), cluster.target)
            rest = self._rest = Rest(f"http://{launch.HOST}:{ground.rest_port}")
            self._jars = Jars(rest)
            async with asyncio.timeout(START_SECONDS):
                await cluster.start(gateway.jvm, gateway.blocking)
                self._death = asyncio.create_task(self._watch(gateway, cluster, rest))
                await self._slots(rest, cluster.slots)
                self._heard = time.monotonic()
        except (TimeoutError, OSError, Py4JNetworkError) as error:
            why = str(error) or gateway.process.last_complaint() or type(error).__name__
            if not gateway.process.runs:
                why = gateway.process.last_complaint() or why
            await self.close()
            raise Unavailable(codes.ENGINE_START_FAILED, f"Flink did not start: {why}") from None

    async def _slots(self, rest: Rest, slots: int) -> None:
        """Return when there are so many. Raises OSError when the cluster is gone instead."""
        while await rest.slots() < slots:
            if self._death is not None and self._death.done():
                raise OSError(self._death.result())
            await asyncio.sleep(0.02)

    async def run(self, task: Task) -> AsyncIterator[Event]:
        assert self._gateway is not None and self._cluster is not None and self._rest is not None
        key = (task.job_id, task.attempt)
        processes = [self._gateway.process, *self._cluster.processes]
        running = Running(task, self._rest, processes, self._states, cancelled=key in self._cancelled)
        self._running = running
        work, run = self._jar(task, running) if task.run_type == RUN_TYPE else self._script(task, running)

        async def until_ended() -> TaskEnded:
            return await self._alive(run)

        try:
            async with contextlib.aclosing(running.events(work, until_ended)) as events:
                async for event in events:
                    yield event
        finally:
            self._running = None
            self._cancelled.discard(key)
            shutil.rmtree(self._jars_folder, ignore_errors=True)

    async def _alive(self, run: Callable[[], Awaitable[TaskEnded]]) -> TaskEnded:
        """How the work ended, while the engine lives; the work may still say its last when the engine dies."""
        working, dying = asyncio.ensure_future(run()), asyncio.create_task(self.died())
        try:
            await asyncio.wait({working, dying}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({working}, timeout=0 if working.done() else LAST_WORD_SECONDS)
            with contextlib.suppress(Unanswered, NoAnswer, Py4JNetworkError):
                if working.done():
                    return working.result()
            return TaskEnded(Outcome.FAILED, codes.ENGINE_LOST, f"the engine died: {await self.died()}")
        finally:
            working.cancel()
            dying.cancel()

    def _script(self, task: Task, running: Running) -> tuple[Work, Callable[[], Awaitable[TaskEnded]]]:
        gateway, cluster = self._gateway, self._cluster
        assert gateway is not None and cluster is not None
        jars = _linked(task, self._jars_folder)
        script = Script(
            task, gateway.jvm, self._settings, self._reach, running.say_blocking, self._states, self._version, jars
        )

        async def run() -> TaskEnded:
            before = len(cluster.lost)
            ended = await gateway.blocking(script.run)
            assert isinstance(ended, TaskEnded)
            if ended.outcome is Outcome.FAILED and len(cluster.lost) > before:
                why = f"{cluster.lost[-1]}, and the job with it ({ended.message})"
                return TaskEnded(Outcome.FAILED, codes.ENGINE_LOST, why)
            return ended

        return script, run

    def _jar(self, task: Task, running: Running) -> tuple[Work, Callable[[], Awaitable[TaskEnded]]]:
        gateway, rest, jars = self._gateway, self._rest, self._jars
        assert gateway is not None and rest is not None and jars is not None

        jar = JarRun(
            task, rest, jars, self._reach, self._states, self._version, running.say, gateway.jvm, gateway.blocking
        )
        return jar, jar.run

    async def operate(self, task: Task, operation: str, parameters: Mapping[str, str]) -> Mapping[str, str]:
        if operation not in OPERATIONS:
            what = f"Flink has no {operation[:40]}; it has: {', '.join(OPERATIONS)}"
            raise Invalid(codes.OPERATION_UNKNOWN, what, field="operation")
        if (running := self._of(task)) is None:
            raise Conflict(codes.TASK_CLOSED, f"job {task.job_id} does not run on this engine any more")
        return await running.operate(operation, parameters)

    async def cancel(self, task: Task) -> None:
        self._cancelled.add((task.job_id, task.attempt))
        if (running := self._of(task)) is not None:
            await running.cancel()

    def _of(self, task: Task) -> Running | None:
        running = self._running
        same = running is not None and (running.task.job_id, running.task.attempt) == (task.job_id, task.attempt)
        return running if same else None

    async def died(self) -> str:
        assert self._death is not None
        return await asyncio.shield(self._death)

    async def _watch(self, gateway: Gateway, cluster: Cluster, rest: Rest) -> str:
        """Why the engine is gone; what does not answer for long is begun anew, or ended."""
        ending = asyncio.create_task(gateway.process.ended()), asyncio.create_task(cluster.gone())
        self._heard = began = time.monotonic()
        try:
            while not any(end.done() for end in ending):
                await asyncio.wait(ending, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if await rest.answers():
                    self._heard = time.monotonic()
                started = max(began, cluster.started)
                until = self._heard + SILENT_SECONDS if self._heard > started else started + START_SECONDS
                if time.monotonic() < until or cluster.revive():
                    continue
                for process in (gateway.process, *cluster.processes):
                    process.kill()
                return f"Flink's REST did not answer for {SILENT_SECONDS:g} s, and its processes were ended"
        finally:
            for end in ending:
                end.cancel()
        return next(end.result() for end in ending if end.done() and not end.cancelled())

    async def close(self) -> None:
        if self._death is not None:
            self._death.cancel()
        if self._rest is not None:
            await self._rest.close()
        closing = [part.close() for part in (self._cluster, self._gateway) if part is not None]
        await asyncio.gather(*closing)

    def _tell(self, text: str) -> None:
        """Of the cluster, to the task that runs."""
        if self._running is not None:
            telling = asyncio.create_task(self._running.say(LogLine("WARN", text)))
            self._telling.add(telling)
            telling.add_done_callback(self._telling.discard)


def _linked(task: Task, folder: Path) -> list[Path]:
    """The task's artifacts where the cluster reaches them: no job reaches the folders of tasks."""
    folder.mkdir(exist_ok=True)
    links = [(folder / f"{number}.jar", path) for number, path in enumerate(task.artifacts.values())]
    for link, path in links:
        os.link(path, link)
    return [link for link, _ in links]


def _starting(ground: Ground) -> str:
    deployment = ground.deployment
    if deployment.form == MINI:
        return "Starting Flink's cluster"
    managers = "a task manager" if deployment.taskmanagers == 1 else f"{deployment.taskmanagers} task managers"
    return f"Starting Flink's job manager and {managers}"
