"""Resident memory of an idle engine of each kind after one job: its connection and its JVMs; beside nothing.

Pages that processes share are counted in each of them.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from services.ecm.workdir import ENGINE_MARK
from tests.bench.jar_submit import SESSION
from tests.bench.running import Bench, resident_mb
from tests.bench.seatunnel_job import batch
from tests.bench.table import Row
from tests.support.leftovers import processes_of


def run(bench: Bench) -> Iterator[Row]:
    values: dict[str, list[float]] = defaultdict(list)
    for number in range(bench.runs):
        with bench.service(f"service-{number}", HEADGATE_ENGINES="shell,flink,seatunnel") as service:
            seen: set[str] = set()
            for kind, job in _jobs(service.home).items():  # one after the other: a new one may take an idle one's room
                assert service.admin.submit(**job).wait(240) == "Succeed"
                time.sleep(bench.sized(3, 0))
                memory = _memory_mb(service.home)
                (engine,) = memory.keys() - seen
                seen |= memory.keys()
                values[kind].append(memory[engine])
    for kind, ours in values.items():
        yield Row(f"memory of an idle engine, {kind}", "MB", ours)


def _jobs(home: Path) -> dict[str, dict[str, Any]]:
    copy = json.dumps(batch(home / "workspace" / "admin" / "copy", 10))
    return {
        "shell": {"code": "true", "engine": "shell"},
        "mini Flink": {"code": "SELECT 1"},
        "session Flink": {"code": "SELECT 1", "configuration": SESSION},
        "SeaTunnel": {"code": copy, "engine": "seatunnel"},
    }


def _memory_mb(home: Path) -> dict[str, float]:
    """By engine."""
    memory: dict[str, float] = defaultdict(float)
    for process in processes_of(home):
        with contextlib.suppress(psutil.Error):
            if engine := process.environ().get(ENGINE_MARK):
                memory[engine] += resident_mb(process.pid)
    return memory
