"""A SeaTunnel batch job on a warm engine, from submit to Succeed, against the same job straight to its server's REST.

Both run on one and the same server, in turns.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.bench.clusters import ZetaCluster
from tests.bench.running import Bench, median_ms
from tests.bench.table import Goal, Row


def batch(folder: Path, rows: int) -> dict[str, Any]:
    """Rows that are made up, into JSON files in the folder."""
    source = {
        "plugin_name": "FakeSource", "result_table_name": "rows", "row.num": rows,
        "schema": {"fields": {"id": "bigint", "name": "string"}},
    }  # fmt: skip
    sink = {
        "plugin_name": "LocalFile", "source_table_name": ["rows"], "file_format_type": "json",
        "path": f"{folder}/out", "tmp_path": f"{folder}/tmp",
    }  # fmt: skip
    return {"env": {"job.mode": "BATCH", "parallelism": 1}, "source": [source], "sink": [sink]}


def run(bench: Bench) -> Iterator[Row]:
    with bench.service("service", HEADGATE_ENGINES="seatunnel") as service:
        job = batch(service.home / "workspace" / "admin" / "copy", bench.sized(100_000, 10))
        code = json.dumps(job)

        def ours() -> None:
            assert service.admin.submit(code, engine="seatunnel").wait(240) == "Succeed"

        ours()
        with closing(ZetaCluster.of(service.home)) as server:
            count = bench.sized(5, 1)
            measured = bench.alternate(
                lambda: median_ms(ours, count), lambda: median_ms(lambda: server.run(job), count), warm=not bench.quick
            )
        yield Row("SeaTunnel batch, warm: submit → Succeed", "ms", *measured, Goal(at_most=1.1))
