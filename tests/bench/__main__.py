"""The benchmark: every figure a ratio against something measured in the same run. See docs/performance.md.

Each line of the table is a module of this folder and can be run alone by its name.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
import tempfile
from pathlib import Path

from tests.bench import table
from tests.bench.running import Bench

LINES = (
    "select_one",
    "insert",
    "million_rows",
    "cold_start",
    "submits",
    "polls",
    "shell_job",
    "throughput",
    "log_lines",
    "jar_submit",
    "seatunnel_job",
    "suspend_resume",
    "idle_memory",
    "idle_engines",
    "statements",
)


def main() -> int:
    arguments = _parse()
    rows: list[table.Row] = []
    print(table.line(table.HEAD), flush=True)
    with tempfile.TemporaryDirectory(prefix="hg-bench-", dir="/tmp") as folder:
        for name in arguments.lines or LINES:
            own = Path(folder) / name
            own.mkdir()
            bench = Bench(own, arguments.quick, arguments.runs or (1 if arguments.quick else 5))
            for row in importlib.import_module(f"tests.bench.{name}").run(bench):
                rows.append(row)
                print(table.line(table.cells(row)), flush=True)
    arguments.json.write_text(json.dumps({**_machine(), "rows": [row.as_json() for row in rows]}, indent=1))
    print(f"\nwritten to {arguments.json}; figures of a quick run mean nothing" if arguments.quick else "")
    return 0


def _parse() -> argparse.Namespace:
    told = "\n".join(f"  {name:<14} {_says(name)}" for name in LINES)
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=f"{__doc__}\nlines:\n{told}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("lines", nargs="*", metavar="line", help="which lines; all of them by default")
    parser.add_argument("--quick", action="store_true", help="little work, one run: shows that everything works")
    parser.add_argument("--runs", type=int, help="runs of each line (5; quick: 1)")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where the figures are written")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.lines if name not in LINES]:
        parser.error(f"there is no line {unknown[0]!r}; there are: {', '.join(LINES)}")
    return arguments


def _says(name: str) -> str:
    return str(importlib.import_module(f"tests.bench.{name}").__doc__).strip().splitlines()[0]


def _machine() -> dict[str, object]:
    return {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}


if __name__ == "__main__":
    sys.exit(main())
