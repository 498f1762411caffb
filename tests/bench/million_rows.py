"""A million rows, from submit to a table in the client, against Flink's ArrowUtils straight via py4j.

The second row is by how much the service's resident memory is above what it was before, at its highest.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from tests.bench.running import Bench, resident_mb
from tests.bench.straight import straight
from tests.bench.table import Goal, Row
from tests.conftest import Service

LOOK_SECONDS = 0.05


def run(bench: Bench) -> Iterator[Row]:
    rows = bench.sized(1_000_000, 20_000)
    code = (
        "CREATE TABLE numbers (id BIGINT, name STRING, price DOUBLE) WITH ("
        f" 'connector' = 'datagen', 'number-of-rows' = '{rows}', 'rows-per-second' = '1000000000',"
        f" 'fields.id.kind' = 'sequence', 'fields.id.start' = '1', 'fields.id.end' = '{rows}',"
        " 'fields.name.length' = '12')",
        "SELECT * FROM numbers",
    )
    with bench.service("service") as service, straight(bench.folder / "straight") as beside:

        def ours() -> float:
            began = time.perf_counter()
            job = service.admin.submit(";\n".join(code))
            assert job.wait(300) == "Succeed"
            assert job.result().to_arrow().num_rows == rows
            return time.perf_counter() - began

        def reference() -> float:
            began = time.perf_counter()
            assert beside.query(*code).num_rows == rows
            return time.perf_counter() - began

        with _Growth(service) as growth:
            measured = bench.alternate(ours, reference)
        yield Row(f"{rows:,} rows: submit → table in the client", "s", *measured, Goal(at_most=1.2))
        yield Row("service memory meanwhile: growth", "MB", [growth.most_mb], goal=Goal(at_most=50))


class _Growth:
    """How far the service's memory went above what it was, while the block ran."""

    def __init__(self, service: Service) -> None:
        self._pid = service.process.pid
        self._before = resident_mb(self._pid)
        self._ended = threading.Event()
        self._looking = threading.Thread(target=self._look)
        self.most_mb = 0.0

    def _look(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            self.most_mb = max(self.most_mb, resident_mb(self._pid) - self._before)

    def __enter__(self) -> _Growth:
        self._looking.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._looking.join()
