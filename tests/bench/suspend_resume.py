"""How long it takes to suspend a small stream, and to go on with it: on SeaTunnel, of a Flink jar; beside nothing.

Suspended: from the request until the job has ended with its savepoint. Gone on: from the submit of the job that goes on
until its first row is in its log, on a warm engine.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from headgate import Job

from tests.bench.clusters import until
from tests.bench.jar_submit import ENTRY, VERSION
from tests.bench.running import Bench
from tests.bench.table import Row
from tests.conftest import Service
from tests.support.flink import jar


@dataclass(frozen=True)
class Stream:
    """What to submit, and what each of its rows in the log holds."""

    job: Mapping[str, Any]
    row: str


FLINK = Stream(
    {
        "code": json.dumps({"artifact": "count", "entryClass": ENTRY, "arguments": ["delay=10"]}),
        "engine": f"flink-{VERSION}", "run_type": "jar",
    },
    "counted ",
)  # fmt: skip
_ROWS = {
    "plugin_name": "FakeSource", "result_table_name": "rows", "row.num": 1000, "split.num": 1000,
    "split.read-interval": 50, "schema": {"fields": {"id": "bigint"}},
}  # fmt: skip
SEATUNNEL = Stream(
    {
        "code": json.dumps(
            {
                "env": {"job.mode": "STREAMING", "parallelism": 1, "checkpoint.interval": 1000},
                "source": [_ROWS],
                "sink": [{"plugin_name": "Console", "source_table_name": ["rows"]}],
            }
        ),
        "engine": "seatunnel",
    },
    "SeaTunnelRow#",
)


def run(bench: Bench) -> Iterator[Row]:
    program = jar(bench.folder, VERSION)
    with bench.service("service", HEADGATE_ENGINES="flink,seatunnel") as service:
        service.admin.push_artifact(program, "count")
        for name, stream in {"SeaTunnel": SEATUNNEL, "Flink jar": FLINK}.items():
            if not bench.quick:
                _once(service, stream)
            times = [_once(service, stream) for _ in range(bench.runs)]
            yield Row(f"stream suspended, {name}", "s", [suspended for suspended, _ in times])
            yield Row(f"stream gone on with, {name}", "s", [resumed for _, resumed in times])


def _once(service: Service, stream: Stream) -> tuple[float, float]:
    first = service.admin.submit(**stream.job)
    until(lambda: _rows(first, stream), "rows come")
    began = time.perf_counter()
    first.suspend()
    assert first.wait(60) == "Succeed", first.log()
    suspended = time.perf_counter()
    second = service.admin.submit(**stream.job, configuration={"headgate.resume": str(first.id)})
    until(lambda: _rows(second, stream), "rows come again")
    resumed = time.perf_counter()
    second.kill()
    assert second.wait(60) == "Cancelled"
    return suspended - began, resumed - suspended


def _rows(job: Job, stream: Stream) -> bool:
    return any(stream.row in line for line in job.log())
