"""A shell job on a warm engine, from submit to Succeed, on top of the same process spawned by hand."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

from tests.bench.running import Bench, median_ms
from tests.bench.table import Goal, Row

CODE = "echo hello"


def run(bench: Bench) -> Iterator[Row]:
    with bench.service("service", HEADGATE_ENGINES="shell") as service:

        def job() -> None:
            assert service.admin.submit(CODE, engine="shell").wait(60) == "Succeed"

        def by_hand() -> None:
            subprocess.run(["bash", "-c", CODE], check=True, stdout=subprocess.DEVNULL)

        count = bench.sized(10, 2)
        ours, beside = bench.alternate(lambda: median_ms(job, count), lambda: median_ms(by_hand, count))
        yield Row("shell job, warm: submit → Succeed", "ms", ours, beside, Goal(at_most=60), minus=True)
