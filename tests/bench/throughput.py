"""Jobs per second through one tenant's 8 engines that do nothing, of 1,000 submitted as fast as they are taken."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tests.bench import load
from tests.bench.running import Bench
from tests.bench.submits import submit_request
from tests.bench.table import Goal, Row

ENGINES = 8
SETTINGS = {
    "HEADGATE_ENGINES": "shell",
    "HEADGATE_ENGINE_MODULES": "shell=tests.bench.instant_engine",
    "HEADGATE_TENANT_ENGINES": str(ENGINES),
    "HEADGATE_TENANT_RUNNING_JOBS": str(ENGINES),
}


def run(bench: Bench) -> Iterator[Row]:
    jobs = bench.sized(1000, 40)
    with bench.service("service", **SETTINGS) as service:

        def rate() -> float:
            began = time.perf_counter()
            load.rate(submit_request(service), 32, jobs - 32)
            while service.admin.jobs(1, 1, "Inited,WaitForRetry,Scheduled,Running"):
                time.sleep(0.05)
            assert not service.admin.jobs(1, 1, "Failed,Cancelled,Timeout")
            return jobs / (time.perf_counter() - began)

        rate()  # the engines start
        yield Row(
            f"jobs, {jobs:,} at once, {ENGINES} engines",
            "1/s",
            [rate() for _ in range(bench.runs)],
            goal=Goal(at_least=150),
        )
