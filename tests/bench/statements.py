"""SQL statements and calls between services from a short job's submit until its end is recorded, on a warm engine.

The run with the fewest is told: loops that have nothing to do with the job also look at their rows now and then. The
submit has no Idempotency-Key, whose binding takes two more.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2

from tests.bench.running import Bench
from tests.bench.submits import submit_request
from tests.bench.table import Goal, Row

_TABLE = re.compile(r"(?:FROM|INTO|UPDATE) ((?:headgate|linkis)_\w+)")
_SHORT = {"linkis_ps_job_history_group_history": "group", "linkis_ps_job_history_detail": "detail"}


def run(bench: Bench) -> Iterator[Row]:
    trace = bench.folder / "trace"
    settings = {"HEADGATE_ENGINES": "shell", "BENCH_TRACE": str(trace)}
    with bench.service("service", module="tests.bench.counted_service", **settings) as service:
        service.admin.submit("echo 1", engine="shell").wait(60)
        request, found = submit_request(service), []
        for _ in range(bench.sized(20, 3)):
            time.sleep(0.5)  # the job before has given its engine back
            begin = trace.stat().st_size
            answer = httpx2.post(request.url, content=request.body, headers=dict(request.headers)).json()
            assert service.admin.job(answer["data"]["taskID"]).wait(60) == "Succeed"
            found.append(_until_end(trace, begin))
    fewest = min(found, key=len)
    for each in fewest:
        print(f"    {each}", file=sys.stderr)
    sql = [each for each in fewest if each.startswith("SQL")]
    yield Row("statements of a short job", "", [len(sql)], goal=Goal(at_most=13))
    yield Row("calls between services of a short job", "", [len(fewest) - len(sql)])


def _until_end(trace: Path, begin: int) -> list[str]:
    """What came from `begin` on until the live row was deleted, and its transaction after that."""
    lines = trace.read_text()[begin:].splitlines()
    end = next(i for i, line in enumerate(lines) if line.startswith("SQL DELETE FROM headgate_job_live"))
    rest = next((i for i, line in enumerate(lines[end:]) if line.startswith("RPC")), len(lines))
    return [_shown(line) for line in lines[: end + rest]]


def _shown(line: str) -> str:
    """A statement as its verb and its tables."""
    if not line.startswith("SQL"):
        return line
    tables = dict.fromkeys(_SHORT.get(name, name.removeprefix("headgate_")) for name in _TABLE.findall(line))
    return f"{' '.join(line.split()[:2])} {', '.join(tables)}"
