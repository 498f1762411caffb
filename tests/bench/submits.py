"""Durable submits per second at 1, 8 and 32 clients, against a bare FastAPI with one committed INSERT each.

The tenant's places are held by long jobs, so what is submitted waits: its request for an engine is part of the figure.
The last row is the 99th percentile of the answers' times at a steady 100 submits per second.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from tests.bench import load
from tests.bench.running import Bench, process
from tests.bench.table import Goal, Row
from tests.conftest import Service

GOALS = {1: Goal(at_least=0.5), 8: Goal(), 32: Goal(at_least=1.0)}


def run(bench: Bench) -> Iterator[Row]:
    with (
        bench.service("service", HEADGATE_ENGINES="shell") as service,
        process("tests.bench.bare", str(bench.folder)) as bare,
    ):
        for _ in range(2):
            service.admin.submit("sleep 3600", engine="shell")
        ours, beside = submit_request(service), load.Request(f"{bare}/submit", {}, body("admin"))
        for clients, goal in GOALS.items():
            count = bench.sized(100 + 50 * clients, 5 * clients)
            measured = bench.alternate(
                lambda clients=clients, count=count: load.rate(ours, clients, count),
                lambda clients=clients, count=count: load.rate(beside, clients, count),
            )
            yield Row(f"durable submits, {clients} client{'s'[: clients > 1]}", "1/s", *measured, goal)
        seconds = bench.sized(10, 1)
        slowest = [load.p99(load.latencies_ms(ours, 100, 100 * seconds)) for _ in range(bench.runs)]
        yield Row("submit at 100/s, 99th percentile", "ms", slowest, goal=Goal(at_most=50))


def submit_request(service: Service, code: str = "echo 1") -> load.Request:
    headers = {"Token-Code": service.token, "Token-User": service.user, "Content-Type": "application/json"}
    return load.Request(f"{service.url}/api/rest_j/v1/entrance/submit", headers, body(service.user, code))


def body(user: str, code: str = "echo 1") -> bytes:
    content = {"executionContent": {"code": code, "runType": "shell"}, "params": {}, "source": {}}
    return json.dumps({**content, "labels": {"engineType": "shell-1", "userCreator": f"{user}-IDE"}}).encode()
