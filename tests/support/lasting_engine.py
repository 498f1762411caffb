"""An engine for tests whose work goes on without its connection: a process that counts into a file, one line at a time.

A task's code is the number that it counts to. The next connection takes it up where the file says.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import psutil

from protocol import codes
from services.engineconn.engine import (
    Engine,
    EngineSpec,
    Event,
    LogLine,
    Outcome,
    StatementEnded,
    StatementStarted,
    Task,
    TaskEnded,
)

COUNT = """
import sys, time
for number in range(1, int(sys.argv[1]) + 1):
    print(f"count {number}", flush=True)
    time.sleep(0.05)
print("done", flush=True)
"""


def create() -> Engine:
    return Lasting()


class Lasting:
    """`out` holds what was counted, `pid` who counts."""

    def __init__(self) -> None:
        self._cancelled = False

    async def open(self, spec: EngineSpec, workdir: Path, say: Callable[[str], None]) -> None:
        self._folder = workdir

    async def run(self, task: Task) -> AsyncIterator[Event]:
        started = StatementStarted(0, 1, task.code, "count")
        yield started
        with (self._folder / "out").open("wb") as out:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", COUNT, task.code, stdin=DEVNULL, stdout=out, start_new_session=True
            )
        (self._folder / "pid").write_text(str(process.pid))
        async for event in self.adopt(task, started, {}):
            yield event

    async def adopt(self, task: Task, begun: StatementStarted, marks: Mapping[str, int]) -> AsyncIterator[Event]:
        said = marks.get("out", 0)
        while True:
            alive = self._counts()
            lines = (self._folder / "out").read_text().splitlines()
            for line in lines[said:]:
                said += 1
                yield LogLine("INFO", line, mark=("out", said))
            if lines[-1:] == ["done"]:
                yield StatementEnded(0, Outcome.SUCCEED)
                yield TaskEnded(Outcome.SUCCEED)
                return
            if not alive:
                outcome, code = (
                    (Outcome.CANCELLED, codes.KILLED) if self._cancelled else (Outcome.FAILED, codes.ENGINE_LOST)
                )
                yield TaskEnded(outcome, code, "nobody counts any more")
                return
            await asyncio.sleep(0.02)

    async def cancel(self, task: Task) -> None:
        self._cancelled = True
        self._kill()

    async def died(self) -> str:
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]  # never resolved

    async def close(self) -> None:
        self._kill()

    def _counts(self) -> bool:
        with contextlib.suppress(psutil.Error):
            return psutil.Process(self._pid()).status() != psutil.STATUS_ZOMBIE
        return False

    def _kill(self) -> None:
        with contextlib.suppress(psutil.Error, OSError):
            psutil.Process(self._pid()).kill()

    def _pid(self) -> int:
        return int((self._folder / "pid").read_text())
