"""From submit to the first row with no engine yet, against the same JVM started by hand to its first row."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

from tests.bench.running import Bench
from tests.bench.select_one import CODE
from tests.bench.straight import straight
from tests.bench.table import Goal, Row


def run(bench: Bench) -> Iterator[Row]:
    number = itertools.count()

    def ours() -> float:
        with bench.service(f"service-{next(number)}") as service:
            began = time.perf_counter()
            job = service.admin.submit(CODE)
            assert job.wait(120) == "Succeed"
            assert [row for result in job.results() for row in result.rows()] == [["1"]]
            return time.perf_counter() - began

    def by_hand() -> float:
        began = time.perf_counter()
        with straight(bench.folder / f"straight-{next(number)}") as beside:
            assert beside.query(CODE).num_rows == 1
            return time.perf_counter() - began

    measured = bench.alternate(ours, by_hand)
    yield Row("cold start: submit → first row", "s", *measured, Goal(at_most=1.2))
