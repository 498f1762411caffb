"""How much a SELECT may give: what a job may choose, and what it is told."""

from __future__ import annotations

import math

import pytest

from services.engineconn.flink.limits import ROWS, SECONDS, SelectLimits

BOUNDED, OPEN = SelectLimits.of("1000", "60"), SelectLimits.of("1000", "0.0")


@pytest.mark.parametrize(
    ("limits", "key", "value"),
    [(BOUNDED, ROWS, "1"), (BOUNDED, ROWS, "1000"), (BOUNDED, SECONDS, "0.5"), (OPEN, SECONDS, "1e9"), (OPEN, "x", "")],
)
def test_less_may_be_chosen(limits: SelectLimits, key: str, value: str) -> None:
    assert limits.refusal(key, value) is None


@pytest.mark.parametrize("value", ["0", "-1", "1001", "1.5", "nan", "inf", "", "many", "1" * 5000])
def test_other_rows_are_refused(value: str) -> None:
    why = BOUNDED.refusal(ROWS, value)
    assert why is not None and why.startswith("headgate.select.rows must be") and "at most 1000;" in why


def test_other_seconds_are_refused() -> None:
    assert BOUNDED.refusal(SECONDS, "61") is not None and OPEN.refusal(SECONDS, "inf") is not None


def test_what_is_not_chosen_is_the_administrators() -> None:
    assert BOUNDED.chosen({}) == SelectLimits(1000, 60.0) and OPEN.chosen({}).seconds == math.inf
    assert BOUNDED.chosen({ROWS: "7", SECONDS: "2"}) == SelectLimits(7, 2.0)
