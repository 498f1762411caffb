"""What a service and its engines take, looked at again and again, and whether it stays flat."""

from __future__ import annotations

import contextlib
import os
import statistics
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.bench.table import line
from tests.conftest import Service
from tests.support.leftovers import processes_of

WARMING = 1 / 3
"""This much of the samples shows how caches and pools fill; what comes after it is to be flat."""

TOLERANCE = {"MB": 8.0, "": 5.0}
"""What a flat series may grow by, beside a twentieth of it; by unit."""

HEAD = ("series", "unit", "start", "warm", "end", "slope/h", "", "")


@dataclass
class Series:
    """Values over seconds; one that is not `bounded` grows with the jobs that are kept, by design."""

    name: str
    unit: str
    bounded: bool = True
    values: list[tuple[float, float]] = field(default_factory=list)

    @property
    def warm(self) -> list[tuple[float, float]]:
        return self.values[int(len(self.values) * WARMING) :]

    @property
    def per_second(self) -> float:
        """The slope of the straight line that lies nearest to the warm values."""
        if len(self.warm) < 2:
            return 0.0
        return statistics.linear_regression(*zip(*self.warm, strict=True)).slope

    @property
    def flat(self) -> bool:
        first, last = self.warm[0], self.warm[-1]
        grown = self.per_second * (last[0] - first[0])
        return grown <= max(TOLERANCE[self.unit], first[1] / 20)

    def told(self) -> str:
        verdict = ("flat" if self.flat else "GROWS") if self.bounded else "kept"
        start, warm, end = (f"{value:,.0f}" for _, value in (self.values[0], self.warm[0], self.values[-1]))
        return line((self.name, self.unit, start, warm, end, f"{self.per_second * 3600:,.1f}", verdict, ""))


class Samples:
    """Every series of one service; sampled from a thread for the time of `taken`."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._series: dict[str, Series] = {}
        self._began = time.monotonic()

    @contextlib.contextmanager
    def taken(self, every_seconds: float) -> Iterator[None]:
        done = threading.Event()

        def sample() -> None:
            while not done.wait(every_seconds):
                self._take()

        self._take()
        thread = threading.Thread(target=sample)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            self._take()

    def all(self) -> list[Series]:
        return [series for series in self._series.values() if len(series.values) > 1]

    def _take(self) -> None:
        home, now = self._service.home, time.monotonic() - self._began
        values = {("service", *key): value for key, value in _process(self._service.process.pid).items()}
        for process in processes_of(home):
            with contextlib.suppress(psutil.Error):
                kind = "JVM" if process.name() == "java" else "engine connection"
                if kind == "JVM" or "services.engineconn" in process.cmdline():
                    for key, value in _process(process.pid).items():  # of several, the largest
                        values[kind, *key] = max(value, values.get((kind, *key), 0))
        for (what, name, unit), value in values.items():
            self._add(f"{what}: {name}", unit, now, value)
        for name, bounded in (("node", True), ("run", True), ("storage", False)):
            self._add(f"files under {name}", "", now, _files(home / name), bounded=bounded)
        self._add("database", "MB", now, _bytes(home.glob("headgate.db*")) / 2**20, bounded=False)

    def _add(self, name: str, unit: str, now: float, value: float, *, bounded: bool = True) -> None:
        self._series.setdefault(name, Series(name, unit, bounded)).values.append((now, value))


def _process(pid: int) -> Mapping[tuple[str, str], float]:
    process = psutil.Process(pid)
    return {
        ("memory", "MB"): process.memory_info().rss / 2**20,
        ("descriptors", ""): process.num_fds(),
        ("threads", ""): process.num_threads(),
    }


def _files(folder: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(folder))


def _bytes(files: Iterator[Path]) -> int:
    return sum(file.stat().st_size for file in files)
