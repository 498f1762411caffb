"""Status polls per second at 32 clients, against a bare FastAPI that answers a constant.

A running job is asked for where it is held; an ended one is answered from the job history, as by any other entrance.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from tests.bench import load
from tests.bench.running import Bench, process
from tests.bench.table import Goal, Row

CLIENTS = 32


def run(bench: Bench) -> Iterator[Row]:
    with (
        bench.service("service", HEADGATE_ENGINES="shell") as service,
        process("tests.bench.bare", str(bench.folder)) as bare,
    ):
        ended = service.admin.submit("echo 1", engine="shell")
        ended.wait()
        running = service.admin.submit("sleep 3600", engine="shell")
        while running.status() != "Running":
            time.sleep(0.05)
        headers = {"Token-Code": service.token, "Token-User": service.user}
        count = bench.sized(3000, 100)
        for job, name, goal in (
            (running, "by its holder", Goal(at_least=0.5)),
            (ended, "of an ended job", Goal(at_least=0.1)),
        ):
            ours = load.Request(f"{service.url}/api/rest_j/v1/entrance/{job.id}/status", headers)
            beside = load.Request(f"{bare}/constant", {})
            measured = bench.alternate(
                lambda ours=ours: load.rate(ours, CLIENTS, count),
                lambda beside=beside: load.rate(beside, CLIENTS, count),
            )
            yield Row(f"status polls, {CLIENTS} clients, {name}", "1/s", *measured, goal)
