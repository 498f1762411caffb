"""The JVM in which SQL is planned, from its start to its connection; in a `mini` form it is the cluster as well."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from services.engineconn.engine import EngineSpec, environment
from services.engineconn.flink import launch
from services.engineconn.flink.files import Files
from services.engineconn.flink.jvm import Jvm
from services.engineconn.flink.process import Process


class Gateway:
    """One thread speaks with the JVM: Flink's planner keeps state in the thread that serves it."""

    def __init__(self, workdir: Path) -> None:
        self.process = Process("Flink's JVM", workdir)
        self._thread = ThreadPoolExecutor(1, "flink")
        self._jvm: Jvm | None = None

    @property
    def jvm(self) -> Jvm:
        assert self._jvm is not None
        return self._jvm

    async def start(self, spec: EngineSpec, files: Files, folders: Sequence[Path]) -> None:
        """Raises OSError. Jobs' files are reached in `folders` alone."""
        folder = self.process.folder
        argv = launch.argv(spec, files, folder)
        await self.process.start(argv, spec.workspace, launch.environment(files, environment()))
        while (said := self.process.out.read_text()).count("\n") < 2:
            if not self.process.runs:
                raise OSError("the JVM ended")
            await asyncio.sleep(0.01)
        port, token = said.split()
        os.truncate(self.process.out, 0)  # the token shall not lie about

        def connect() -> Jvm:
            jvm = Jvm(int(port), token, folder)
            jvm.warm(folders)
            return jvm

        self._jvm = await self.blocking(connect)

    async def blocking(self, call: Callable[[], Any]) -> Any:
        """What the call gives, made in the JVM's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    async def close(self) -> None:
        if self._jvm is not None:
            self._jvm.close()
        await self.process.stop()
        self._thread.shutdown(wait=False, cancel_futures=True)
