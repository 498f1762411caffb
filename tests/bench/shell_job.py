"""A shell job on a warm engine, from submit to Succeed, on top of the same process spawned by hand."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

from tests.bench.running import Bench
from tests.bench.table import Goal, Row

CODE = "echo hello"


def run(bench: Bench) -> Iterator[Row]:
    with bench.service("service", HEADGATE_ENGINES="shell") as service:

        def job() -> float:
            began = time.perf_counter()
            submitted = service.admin.submit(CODE, engine="shell")
            assert submitted.wait(60) == "Succeed"
            return (time.perf_counter() - began) * 1000

        def by_hand() -> float:
            began = time.perf_counter()
            subprocess.run(["bash", "-c", CODE], check=True, stdout=subprocess.DEVNULL)
            return (time.perf_counter() - began) * 1000

        count = bench.sized(10, 2)
        ours, beside = bench.alternate(lambda: _median(job, count), lambda: _median(by_hand, count))
        yield Row("shell job, warm: submit → Succeed", "ms", ours, beside, Goal(at_most=60), minus=True)


def _median(measure, count: int) -> float:
    return sorted(measure() for _ in range(count))[count // 2]
