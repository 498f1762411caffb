"""Log lines in Linkis' four texts."""

from __future__ import annotations

from services.entrance.wire import logs

LINES = [
    "no level yet",
    "2026-01-01 10:00:00.123 WARN careful",
    "  and more of it",
    "2026-01-01 10:00:00.124 ERROR broken",
    "2026-01-01 10:00:00.125 INFO fine",
]


def test_a_line_without_a_level_goes_with_the_one_before() -> None:
    error, warn, info, whole = logs.levels(LINES)
    assert error == LINES[3] and warn == "\n".join(LINES[1:3]) and info == f"{LINES[0]}\n{LINES[4]}"
    assert whole == "\n".join(LINES)


def test_negatives_follow_linkis() -> None:
    assert logs.window(-5, -1) == (0, 10_000)
    assert logs.window(3, 50_000) == (3, 10_000)


def test_only_the_levels_asked_for() -> None:
    assert logs.chosen(["e", "w", "i", "a"], "error,warn") == ["e", "w", "", ""]
    assert logs.chosen(["e", "w", "i", "a"], "all") == ["e", "w", "i", "a"]
