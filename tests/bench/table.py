"""Rows of the table: what was measured, against what, how far the runs lie apart, and whether it meets its goal."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound of the figure: of the ratio, or of the value itself where nothing is measured beside it."""

    at_most: float | None = None
    at_least: float | None = None

    def met(self, figure: float) -> bool:
        above = self.at_least is None or figure >= self.at_least
        return above and (self.at_most is None or figure <= self.at_most)

    def __str__(self) -> str:
        bounds = (("≤", self.at_most), ("≥", self.at_least))
        return " ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None) or "–"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: the values of several runs, and of what ran beside them in turn (`reference`, may be empty)."""

    name: str
    unit: str
    ours: Sequence[float]
    reference: Sequence[float] = ()
    goal: Goal = field(default_factory=Goal)
    minus: bool = False
    """The figure is what we take on top of the reference, not the ratio."""

    @property
    def figures(self) -> list[float]:
        """One for each run."""
        if not self.reference:
            return list(self.ours)
        pairs = zip(self.ours, self.reference, strict=True)
        return [ours - beside if self.minus else ours / beside for ours, beside in pairs]

    @property
    def figure(self) -> float:
        return statistics.median(self.figures)

    def as_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "unit": self.unit,
            "ours": list(self.ours),
            "reference": list(self.reference),
            "figure": self.figure,
            "spread": [min(self.figures), max(self.figures)],
            "goal": str(self.goal),
            "met": self.goal.met(self.figure),
        }


HEAD = ("measure", "unit", "Headgate", "reference", "figure", "spread", "goal", "")
_WIDTHS = (44, 7, 10, 10, 8, 15, 7, 6)


def line(cells: Iterable[str]) -> str:
    """A line of the table; the first column to the left, the others to the right."""
    first, *others = zip(cells, _WIDTHS, strict=True)
    return f"{first[0]:<{first[1]}} " + " ".join(f"{cell:>{width}}" for cell, width in others)


def cells(row: Row) -> list[str]:
    met = "" if str(row.goal) == "–" else "met" if row.goal.met(row.figure) else "MISSED"
    beside = _short(statistics.median(row.reference)) if row.reference else "–"
    spread = f"{_short(min(row.figures))}–{_short(max(row.figures))}"
    return [
        row.name, row.unit, _short(statistics.median(row.ours)), beside, _short(row.figure), spread, str(row.goal), met
    ]  # fmt: skip


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
