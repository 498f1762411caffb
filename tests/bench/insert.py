"""A warm INSERT of 3 rows into a blackhole, from submit to Succeed, against the same straight via py4j."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.running import Bench, median_ms
from tests.bench.select_one import WARM
from tests.bench.straight import straight
from tests.bench.table import Goal, Row

CODE = (
    "CREATE TABLE hole (id INT, name STRING) WITH ('connector' = 'blackhole')",
    "INSERT INTO hole VALUES (1, 'a'), (2, 'b'), (3, 'c')",
)


def run(bench: Bench) -> Iterator[Row]:
    with bench.service("service") as service, straight(bench.folder / "straight") as beside:

        def ours() -> None:
            assert service.admin.submit(";\n".join(CODE)).wait(60) == "Succeed"

        def reference() -> None:
            beside.insert(*CODE)

        for _ in range(bench.sized(WARM, 1)):
            ours(), reference()
        count = bench.sized(10, 2)
        measured = bench.alternate(lambda: median_ms(ours, count), lambda: median_ms(reference, count))
        yield Row("INSERT of 3 rows, warm: submit → Succeed", "ms", *measured, Goal(at_most=1.15))
