"""Each line of the benchmark works, and is told of; no time is asserted."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.bench.__main__ import LINES
from tests.bench.running import Bench
from tests.bench.samples import Series
from tests.bench.table import HEAD, Goal, Row, cells, line

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "performance.md").read_text()


@pytest.mark.parametrize("name", LINES)
def test_a_line_runs(name: str) -> None:
    with tempfile.TemporaryDirectory(prefix="hg-bench-", dir="/tmp") as folder:
        for row in importlib.import_module(f"tests.bench.{name}").run(Bench(Path(folder), quick=True, runs=1)):
            assert len(row.ours) == 1 and len(row.reference) in (0, 1), row.name
            assert len(line(cells(row))) == len(line(HEAD)) and json.dumps(row.as_json())


def test_every_line_is_told_of_in_the_help_and_on_the_page() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in LINES:
        first = (importlib.import_module(f"tests.bench.{name}").__doc__ or "").splitlines()[0]
        assert len(first) > 40 and re.search(rf"^  {name} +{re.escape(first)}$", shown, re.M), name
    assert re.findall(r"^### `(\w+)`", PAGE, re.M) == list(LINES)


def test_the_page_tells_of_the_soak_and_of_how_to_run_a_line() -> None:
    for option in ("--jobs", "--minutes"):
        assert option in PAGE
    for text in ("make bench QUICK=1", "python -m tests.bench.soak"):
        assert text in PAGE
    assert set(re.findall(r"make bench ARGS=(\w+)", PAGE)) <= set(LINES)


def test_a_row_meets_its_goal_by_its_figure() -> None:
    ratio = Row("a", "ms", [30, 20, 40], [10, 10, 10], Goal(at_most=3))
    assert (ratio.figure, ratio.as_json()["spread"], ratio.as_json()["met"]) == (3, [2, 4], True)
    over = Row("b", "ms", [30, 20, 40], [10, 10, 10], Goal(at_most=19), minus=True)
    assert over.figure == 20 and cells(over)[-1] == "MISSED"
    assert cells(Row("c", "1/s", [5]))[-1] == ""


def test_a_series_is_flat_when_it_does_not_grow_once_it_is_warm() -> None:
    def series(*values: float) -> Series:
        return Series("memory", "MB", values=[(10.0 * n, value) for n, value in enumerate(values)])

    warming = [100 + 20 * n for n in range(10)]
    assert series(*warming, *[300 + n % 3 for n in range(20)]).flat
    assert not series(*warming, *[300 + 2 * n for n in range(20)]).flat
    assert series(500, 400, 300, 200).flat
    assert series(100, 100).flat
