"""The built-in date variables: `run_date` and all that is reckoned from it; and `&{yyyyMMdd%-1d}` patterns. Pure."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from commons.process.errors import Invalid
from protocol import codes

_PERIODS = {"month": 1, "quarter": 3, "half_year": 6, "year": 12}
_PATTERN = re.compile(r"&\{([^{}%\n]*)(?:%([+-]?\d+)([yMdHms]))?\}")
_LETTERS = re.compile(r"yyyy|yy|MM|dd|HH|mm|ss|SSS")
_SECONDS = {"d": 86_400, "H": 3_600, "m": 60, "s": 1}
_FORMS = {"yyyy": "%Y", "yy": "%y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}


@dataclass(frozen=True, slots=True)
class DateValue:
    """A moment and how it is written; `months` and `hours` are the length of one step, as `${name+1}` takes it."""

    at: datetime
    form: str
    months: int = 0
    hours: int = 24
    end: bool = False
    """The last day of its period, not the first; only where a step is whole months."""

    def __str__(self) -> str:
        at = self.at
        if self.months and "%d" in self.form:
            first = (at.month - 1) // self.months * self.months + 1
            month = first + self.months - 1 if self.end else first
            at = at.replace(month=month, day=monthrange(at.year, month)[1] if self.end else 1)
        return at.strftime(self.form)

    def plus(self, steps: int) -> DateValue:
        """The same, `steps` later. Raises OverflowError or ValueError beyond the years 1 to 9999."""
        if self.months:
            return replace(self, at=_add_months(self.at, steps * self.months))
        return replace(self, at=self.at + timedelta(hours=steps * self.hours))


def builtins(run_date: date, now: datetime) -> dict[str, DateValue]:
    """Every built-in date by its name; those ending in _std have dashes. `now` gives the time of day."""
    day, today = datetime.combine(run_date, time()), datetime.combine(run_date + timedelta(days=1), time())
    hour = datetime.combine(today, now.time())
    last_month = _add_months(today, -1)
    found: dict[str, DateValue] = {}

    def put(name: str, at: datetime, form: str, months: int = 0, hours: int = 24, *, end: bool = False) -> None:
        found[name] = DateValue(at, form.replace("-", "").replace(" ", ""), months, hours, end)
        found[f"{name}_std"] = DateValue(at, form, months, hours, end)

    put("run_date", day, "%Y-%m-%d")
    put("run_today", today, "%Y-%m-%d")
    for period, months in _PERIODS.items():
        put(f"run_{period}_begin", day, "%Y-%m-%d", months=months)
        put(f"run_{period}_end", day, "%Y-%m-%d", months=months, end=True)
    put("run_month_now_begin", last_month, "%Y-%m-%d", months=1)
    put("run_month_now_end", last_month, "%Y-%m-%d", months=1, end=True)
    for name, at in (
        ("run_mon", day), ("run_mon_start", day), ("run_mon_end", day.replace(month=12, day=1)),
        ("run_last_mon_now", _add_months(day, -1)), ("run_current_mon_now", today), ("run_mon_now", today),
    ):  # fmt: skip
        put(name, at, "%Y-%m", months=1)
    for name in ("run_today_h", "run_today_hour"):
        put(name, hour, "%Y-%m-%d %H", hours=1)
    return found


def fill_patterns(code: str, at: datetime) -> str:
    """`&{pattern}` and `&{pattern%-1d}` (y M d H m s) as dates around `at`; what is no date pattern stays.

    Raises Invalid naming the line of a date that there is not.
    """

    def value(use: re.Match[str]) -> str:
        pattern, unit = use[1], use[3]
        if not _LETTERS.search(pattern):
            return use[0]
        try:
            moved = _moved(at, int(use[2]), unit) if unit else at
        except (ArithmeticError, ValueError):
            where = code.count("\n", 0, use.start()) + 1
            what = f"line {where}: {use[0][:60]} leads beyond the years 1 to 9999"
            raise Invalid(codes.VARIABLE_DATE, what, field="executionContent.code") from None
        return _LETTERS.sub(lambda letters: _written(moved, letters[0]), pattern)

    return _PATTERN.sub(value, code)


def _moved(at: datetime, amount: int, unit: str) -> datetime:
    if unit in "yM":
        return _add_months(at, amount * (12 if unit == "y" else 1))
    return at + timedelta(seconds=amount * _SECONDS[unit])


def _written(at: datetime, letters: str) -> str:
    if letters == "SSS":
        return f"{at.microsecond // 1000:03d}"
    return at.strftime(_FORMS[letters]).zfill(len(letters))


def _add_months(at: datetime, months: int) -> datetime:
    """The same day of another month, or that month's last day."""
    year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
    return at.replace(year=year, month=month + 1, day=min(at.day, monthrange(year, month + 1)[1]))
