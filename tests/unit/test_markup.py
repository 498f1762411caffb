"""Jobs and result sets as notebooks show them: escaped and bounded."""

from __future__ import annotations

import re

import pytest
from headgate import Column, markup

EVIL = '<script>alert("x")</script>&\'"'


@pytest.mark.parametrize(
    "shown",
    [
        markup.job(EVIL, EVIL, 0.5, EVIL),
        markup.table(0, [Column(EVIL, EVIL)], [[EVIL], [None]]),
    ],
    ids=["job", "table"],
)
def test_nothing_that_was_said_is_markup(shown: str) -> None:
    assert "<script" not in shown and "&lt;script&gt;" in shown
    for attribute in re.findall(r'"([^"]*)"', shown):
        assert "alert(" not in attribute or "&quot;" in attribute


def test_a_job_has_its_status_a_bar_and_its_error() -> None:
    assert "<pre" not in markup.job(7, "Running", 0.25)
    shown = markup.job(7, "Failed", 0.25, "no table t")
    assert re.search(r">7</code>.*>Failed</b>.*<progress value=\"0\.25\" max=\"1\">.*25%.*no table t", shown, re.DOTALL)
    long = "exec_id018018127.0.0.1:9001IDE_admin_flink_42"
    assert f'title="{long}"' in (shown := markup.job(long)) and ">…:9001IDE_admin_flink_42<" in shown


def test_a_table_is_cut_and_says_so() -> None:
    columns = [Column(f"c{number}", "int") for number in range(markup.MOST_COLUMNS + 1)]
    rows = [["v" * 10_000] * len(columns) for _ in range(markup.MOST_ROWS + 1)]
    shown = markup.table(2, columns, rows)
    assert shown.startswith("<div>Result 2</div>")
    assert shown.count("<tr>") == 1 + markup.MOST_ROWS and shown.count("<th ") == markup.MOST_COLUMNS
    assert shown.count("<td>") == markup.MOST_ROWS * markup.MOST_COLUMNS
    assert max(map(len, re.findall("v+", shown))) == markup.MOST_CHARACTERS
    assert "the first 20 rows and 50 of 51 columns are shown; .rows(), .to_arrow() or .to_pandas() give all" in shown
    whole = markup.table(0, columns[:1], [["1"]])
    assert "shown" not in whole and "no rows" in markup.table(0, columns[:1], [])
    assert "<i>NULL</i>" in markup.table(0, columns[:1], [[None]])
