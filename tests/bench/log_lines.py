"""20,000 lines of a log, followed by the SDK from submit to the last line, against the same output by `tail -f`.

The second row is how much the service's memory grows over all runs.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

from tests.bench.running import Bench, resident_mb
from tests.bench.table import Goal, Row


def run(bench: Bench) -> Iterator[Row]:
    lines = bench.sized(20_000, 500)
    code = f'for ((n = 1; n <= {lines}; n++)); do echo "line $n of a log that somebody follows"; done'
    with bench.service("service", HEADGATE_ENGINES="shell") as service:

        def followed() -> float:
            began = time.perf_counter()
            job = service.admin.submit(code, engine="shell")
            told = sum("that somebody follows" in line for line in job.follow())
            assert told == lines, f"{told} lines"
            return (time.perf_counter() - began) * 1000

        def tailed() -> float:
            log = bench.folder / "log"
            log.write_bytes(b"")
            began = time.perf_counter()
            with (
                log.open("ab") as sink,
                subprocess.Popen(["tail", "-n", "+1", "-f", str(log)], stdout=subprocess.PIPE, text=True) as tail,
                subprocess.Popen(["bash", "-c", code], stdout=sink) as writer,
            ):
                assert tail.stdout is not None
                for _ in range(lines):
                    tail.stdout.readline()
                took = (time.perf_counter() - began) * 1000
                tail.terminate()
            assert writer.returncode == 0
            return took

        before = resident_mb(service.process.pid)
        measured = bench.alternate(followed, tailed)
        grown = resident_mb(service.process.pid) - before
        yield Row(f"{lines:,} log lines, followed to the end", "ms", *measured, Goal(at_most=2))
        yield Row("service memory, grown by following", "MB", [grown], goal=Goal(at_most=20))
