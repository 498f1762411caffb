"""The `session` form: a job manager and task managers as processes of their own, as Flink calls it: standalone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from services.engineconn.engine import environment
from services.engineconn.flink import launch
from services.engineconn.flink.cluster import Blocking, Ground, free_port
from services.engineconn.flink.jvm import Jvm
from services.engineconn.flink.process import Process

QUICK_SECONDS, MOST_QUICK = 20.0, 5
"""A process that ends sooner than this, so many times in a row, is given up, and the cluster with it."""
COUNTS_SECONDS = 2.0


class Standalone:
    """What ends is replaced. With the job manager its jobs are lost, and the task managers begin anew as well."""

    def __init__(self, ground: Ground) -> None:
        deployment = self._deployment = ground.deployment
        self._ground = ground
        self._ports = (ground.rest_port, free_port())
        self._jobmanager = Process("the job manager", ground.workdir / "jobmanager")
        self._taskmanagers = [
            Process(f"task manager {number}", ground.workdir / f"taskmanager-{number}")
            for number in range(1, deployment.taskmanagers + 1)
        ]
        self._gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._keepers: list[asyncio.Task[None]] = []
        self._let_go: dict[str, bool] = {}
        self.lost: Sequence[str] = ()
        self.started = time.monotonic()
        self.slots: int = deployment.slots * deployment.taskmanagers
        self.processes: Sequence[Process] = [self._jobmanager, *self._taskmanagers]
        self.target: Mapping[str, str] = {
            "execution.target": "remote", "rest.address": launch.HOST, "rest.port": str(ground.rest_port),
        }  # fmt: skip

    async def start(self, jvm: Jvm, blocking: Blocking) -> None:
        ground = self._ground
        for process in self.processes:
            configuration = launch.standalone(
                self._deployment, process.folder, self._ports, ground.state, ground.folders
            )
            name, content = launch.configuration_file(ground.spec.version, configuration)
            (process.folder / name).write_text(content)
        self._own = jvm.jar
        await self._start(self._jobmanager)
        self._keepers = [asyncio.create_task(self._keep(process)) for process in self.processes]
        jvm.rows_written = lambda job_id: rows_written(ground.workdir / launch.ROWS_FILE, job_id)
        await blocking(lambda: self._connect(jvm))

    def _connect(self, jvm: Jvm) -> None:
        program = jvm.root.org.apache.flink.client.program.rest
        jvm.cluster = program.RestClusterClient(jvm.configuration(self.target), "standalone")

    async def _start(self, process: Process) -> None:
        argv_of = launch.jobmanager_argv if process is self._jobmanager else launch.taskmanager_argv
        argv = argv_of(self._deployment, self._ground.files, self._own, process.folder)
        inherited = launch.environment(self._ground.files, environment())
        await process.start(argv, self._ground.spec.workspace, inherited)

    async def _keep(self, process: Process) -> None:
        """Start the process, again and again."""
        quick = 0
        while quick < MOST_QUICK:
            began = time.monotonic()
            try:
                if not process.runs:
                    await self._start(process)
            except OSError as error:
                self._end(f"{process.name} cannot be started: {error}")
                return
            why = await process.ended()
            if process is self._jobmanager:
                self._lose(why)
            elif self._let_go.pop(process.name, False):
                continue
            quick = quick + 1 if time.monotonic() - began < QUICK_SECONDS else 1
            self._ground.tell(f"{why}; another one takes its place")
            await asyncio.sleep(0.2 * 2**quick if quick > 1 else 0)
        self._end(f"{why}, as the {MOST_QUICK - 1} before it")

    def _lose(self, why: str) -> None:
        """The job manager is gone: no task of its jobs may go on beside those of the next one."""
        self.lost, self.started = [*self.lost, why], time.monotonic()
        for process in self._taskmanagers:
            self._let_go[process.name] = process.runs
            process.kill()

    def revive(self) -> bool:
        self._jobmanager.kill()
        return True

    def _end(self, why: str) -> None:
        if not self._gone.done():
            self._gone.set_result(why)

    async def gone(self) -> str:
        return await asyncio.shield(self._gone)

    async def close(self) -> None:
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await asyncio.gather(*(process.stop() for process in self.processes))


def rows_written(file: Path, job_id: str) -> int | None:
    """What the sinks of an ended job took in; None when none of them counts. Blocking, for the last counts to come."""
    until = time.monotonic() + COUNTS_SECONDS
    while (counts := _counts(file, job_id)) and None in counts.values() and time.monotonic() < until:
        time.sleep(0.02)
    with contextlib.suppress(OSError):
        os.truncate(file, 0)  # one job runs at a time
    return sum(count or 0 for count in counts.values()) if counts else None


def _counts(file: Path, job_id: str) -> dict[str, int | None]:
    """By subtask, as java/SinkRows.java writes them; None of one that counts still, or again."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return {}
    counts: dict[str, int | None] = {}
    for line in lines:
        job, key, *count = line.split(" ")
        if job == job_id:
            counts[key] = int(count[0]) if count else None
    return counts
