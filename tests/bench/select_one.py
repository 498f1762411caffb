"""A warm SELECT 1, from submit to its row read, against a new TableEnvironment, EXPLAIN and fetch straight via py4j."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.running import Bench, median_ms
from tests.bench.straight import straight
from tests.bench.table import Goal, Row

CODE = "SELECT 1"
WARM = 40
"""Times before it counts: the JVM becomes faster for long."""


def run(bench: Bench) -> Iterator[Row]:
    with bench.service("service") as service, straight(bench.folder / "straight") as beside:

        def ours() -> None:
            job = service.admin.submit(CODE)
            assert job.wait(60) == "Succeed"
            assert [row for result in job.results() for row in result.rows()] == [["1"]]

        def reference() -> None:
            assert beside.query(CODE).num_rows == 1

        for _ in range(bench.sized(WARM, 1)):
            ours(), reference()
        count = bench.sized(10, 2)
        measured = bench.alternate(lambda: median_ms(ours, count), lambda: median_ms(reference, count))
        yield Row("SELECT 1, warm: submit → row read", "ms", *measured, Goal(at_most=1.15))
