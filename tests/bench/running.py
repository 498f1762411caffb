"""What the lines share: runs that alternate with their reference, services of their own, and other processes."""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.conftest import Service, start, stop

WORKLOAD = {
    "HEADGATE_TENANT_QUEUED_JOBS": "1000000",
    "HEADGATE_LEASE_SECONDS": "60",
}
"""Settings of a service under load: its limits are not what is measured."""


@dataclass(frozen=True)
class Bench:
    """How a line is run: `quick` only shows that it works. `folder` is for whatever it needs on disk."""

    folder: Path
    quick: bool
    runs: int

    def sized(self, whole: int, quick: int) -> int:
        """How much work one run does."""
        return quick if self.quick else whole

    def alternate(
        self, ours: Callable[[], float], reference: Callable[[], float], *, warm: bool = True
    ) -> tuple[list[float], list[float]]:
        """The values of all runs, ours and the reference's in turn; one of each before them is not counted."""
        if warm:
            ours(), reference()
        values = [(ours(), reference()) for _ in range(self.runs)]
        return [mine for mine, _ in values], [beside for _, beside in values]

    @contextlib.contextmanager
    def service(self, name: str, *, module: str = "services", **settings: str) -> Iterator[Service]:
        """A service of its own with an empty home."""
        running = start(self.folder / name / "home", "--stop-engines", module=module, **WORKLOAD | settings)
        try:
            yield running
        finally:
            stop(running)


@contextlib.contextmanager
def process(module: str, *arguments: str) -> Iterator[str]:
    """A module of the benchmark in a process of its own; the first line that it says."""
    running = subprocess.Popen([sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    try:
        yield running.stdout.readline().strip()
    finally:
        running.terminate()
        running.wait(30)
        running.stdout.close()


def resident_mb(pid: int) -> float:
    """The process' resident memory."""
    return float(psutil.Process(pid).memory_info().rss) / 2**20


def median_ms(measured: Callable[[], object], count: int) -> float:
    """How long one takes, of so many one after the other."""
    times = []
    for _ in range(count):
        began = time.perf_counter()
        measured()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)
