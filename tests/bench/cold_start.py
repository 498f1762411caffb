"""From submit to the first result with no engine yet, against the same JVMs started by hand to the same result.

One row for each kind of engine: Flink in one JVM, Flink of several processes, SeaTunnel.
"""

from __future__ import annotations

import functools
import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping

from protocol.flink.deployment import Deployment
from tests.bench import straight, zeta
from tests.bench.jar_submit import SESSION
from tests.bench.running import Bench
from tests.bench.seatunnel_job import batch
from tests.bench.select_one import CODE
from tests.bench.table import Goal, Row
from tests.conftest import Service
from tests.support.flink import SMALL

GOAL = Goal(at_most=1.15)
NUMBER = itertools.count()


def run(bench: Bench) -> Iterator[Row]:
    kinds: dict[str, tuple[Callable[[Service], None], Callable[[], float]]] = {
        "mini Flink": (lambda service: _select(service, {}), lambda: _select_by_hand(bench, Deployment())),
        "session Flink": (lambda service: _select(service, SESSION), lambda: _select_by_hand(bench, SMALL)),
        "SeaTunnel": (_copy, lambda: _copy_by_hand(bench)),
    }
    for kind, (job, by_hand) in kinds.items():
        measured = bench.alternate(functools.partial(_timed, bench, job), by_hand, warm=not bench.quick)
        yield Row(f"cold start, {kind}: submit → result", "s", *measured, GOAL)


def _timed(bench: Bench, job: Callable[[Service], None]) -> float:
    with bench.service(f"service-{next(NUMBER)}", HEADGATE_ENGINES="flink,seatunnel") as service:
        began = time.perf_counter()
        job(service)
        return time.perf_counter() - began


def _select(service: Service, configuration: Mapping[str, str]) -> None:
    job = service.admin.submit(CODE, configuration=configuration)
    assert job.wait(240) == "Succeed"
    assert [row for result in job.results() for row in result.rows()] == [["1"]]


def _select_by_hand(bench: Bench, deployment: Deployment) -> float:
    began = time.perf_counter()
    with straight.straight(bench.folder / f"straight-{next(NUMBER)}", deployment) as beside:
        assert beside.query(CODE).num_rows == 1
        return time.perf_counter() - began


def _copy(service: Service) -> None:
    job = batch(service.home / "workspace" / "admin" / "copy", 10)
    assert service.admin.submit(json.dumps(job), engine="seatunnel").wait(240) == "Succeed"


def _copy_by_hand(bench: Bench) -> float:
    folder = bench.folder / f"straight-{next(NUMBER)}"
    began = time.perf_counter()
    with zeta.straight(folder) as server:
        server.run(batch(folder / "copy", 10))
        return time.perf_counter() - began
