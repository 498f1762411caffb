"""Resident memory of one service process without engines: after its start, and after 100 requests; beside nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tests.bench.running import Bench, resident_mb
from tests.bench.table import Goal, Row

REQUESTS = 100
GOAL = Goal(at_most=200)


def run(bench: Bench) -> Iterator[Row]:
    started, asked = [], []
    for number in range(bench.runs):
        with bench.service(f"service-{number}") as service:
            time.sleep(bench.sized(3, 1))
            started.append(resident_mb(service.process.pid))
            for _ in range(REQUESTS):
                service.admin.jobs()
            asked.append(resident_mb(service.process.pid))
    yield Row("memory without engines, after the start", "MB", started, goal=GOAL)
    yield Row(f"memory without engines, {REQUESTS} requests later", "MB", asked, goal=GOAL)
