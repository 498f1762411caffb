"""Variables in users' code: ${name}, and ${name+1} on numbers and dates. Undefined ones stay as they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from operator import add, mul, sub, truediv

from commons.process.errors import Invalid, TooLarge
from commons.process.masking import MASK, is_secret_name
from protocol import codes
from services.entrance import dates
from services.entrance.dates import DateValue
from services.entrance.wire.jobs import LARGEST_CODE

_USE = re.compile(r"\$\{\s*([A-Za-z_][\w.]*)\s*(?:([-+*/])\s*(\d+(?:\.\d+)?)\s*)?\}")
_NUMBER = re.compile(r"^-?(0|[1-9]\d*)(\.\d+)?$")
_SET = {
    "shell": re.compile(r"^[ \t]*#@set[ \t]+(?P<set>.*)$", re.M),
    # what is quoted or commented is passed over, so that a line of a text is not taken for one; nothing is looked at
    # twice, however long it is and whether it ends or not
    "sql": re.compile(
        r"^[ \t]*--@set[ \t]+(?P<set>[^\n]*)$|--[^\n]*|/\*.*?(?:\*/|\Z)"
        r"|'[^']*+(?:''[^']*+)*+(?:'|\Z)|`[^`]*+(?:``[^`]*+)*+(?:`|\Z)",
        re.M | re.S,
    ),
}
_ARITHMETIC = {"+": add, "-": sub, "*": mul, "/": truediv}
_NAME = re.compile(r"([A-Za-z_][\w.]*)\s*=")
_NO_STATEMENT = re.compile(r"(?:[\s;\ufeff]|--[^\n]*|//[^\n]*|/\*.*?(?:\*/|\Z))*+", re.S)
_YEARS = range(1000, 9991)
"""In which every built-in date can be reckoned."""
_DATES = (("%Y%m%d", re.compile(r"^\d{8}$")), ("%Y-%m-%d", re.compile(r"^\d{4}-\d\d-\d\d$")))


@dataclass(slots=True)
class _Room:
    """How many characters may still be put in place of variables: a few lines can double a text many times."""

    left: int = LARGEST_CODE


def has_statement(code: str) -> bool:
    """Whether SQL is more than comments."""
    return _NO_STATEMENT.fullmatch(code) is None


def substitute(
    code: str, code_type: str, variables: Mapping[str, str], builtins: Mapping[str, str], now: datetime
) -> str:
    """The code with its variables filled in. `--@set a=b` lines are blanked, so that line numbers stay.

    Values come, first to last, from the built-ins, `variables` and the code's own lines; a value may use those set
    before it. Raises Invalid naming the variable and the line, TooLarge for more than `LARGEST_CODE` bytes.
    """
    code, own = _assignments(code, _SET["shell" if code_type in ("sh", "shell") else "sql"])
    run_date = _run_date(dict(own).get("run_date") or variables.get("run_date"), now)
    known: dict[str, str | DateValue] = {**builtins, **dates.builtins(run_date, now)}
    known |= {name: value for name, value in variables.items() if name != "run_date"}
    room = _Room()
    for name, value in [*variables.items(), *own]:
        if name != "run_date":
            known.pop(name, None)  # a value does not use itself
            known[name] = _fill(value, known, room)
    code = dates.fill_patterns(_fill(code, known, room), datetime.combine(run_date, now.time()))
    if len(code.encode()) > LARGEST_CODE:
        what = f"the code with its variables is over {LARGEST_CODE} bytes; send less, or split it into several jobs"
        raise TooLarge(codes.REQUEST_INVALID, what, field="executionContent.code")
    return code


def _assignments(code: str, pattern: re.Pattern[str]) -> tuple[str, list[tuple[str, str]]]:
    """The code without its `@set` lines, and what they set, in order."""
    own: list[tuple[str, str]] = []

    def take(line: re.Match[str]) -> str:
        if line["set"] is None:
            return line[0]
        found = _NAME.match(line["set"])
        if found is None:
            where = code.count("\n", 0, line.start()) + 1
            raise Invalid(codes.VARIABLE_NAME, f"line {where}: write @set name=value", field="executionContent.code")
        own.append((found[1], line["set"][found.end() :].strip().removesuffix(";").rstrip()))
        return ""

    return pattern.sub(take, code), own


def _run_date(given: str | None, now: datetime) -> date:
    """The day that statistics are made for: yesterday, unless the user gives one."""
    if given is None:
        return now.date() - timedelta(days=1)
    try:
        day = datetime.strptime(given, "%Y%m%d").date()
        if day.year in _YEARS:
            return day
    except ValueError:
        pass
    what = f"variable run_date must be yyyyMMdd, from the year {_YEARS[0]} to {_YEARS[-1]}, not {given[:30]!r}"
    raise Invalid(codes.VARIABLE_DATE, what, field="params.variable.run_date")


def _fill(text: str, known: Mapping[str, str | DateValue], room: _Room) -> str:
    def line(use: re.Match[str]) -> int:
        return text.count("\n", 0, use.start()) + 1

    def fitting(filled: str, use: re.Match[str]) -> str:
        room.left -= len(filled)
        if room.left < 0:
            what = f"line {line(use)}: with {use[0][:60]} the variables' values are over {LARGEST_CODE} bytes"
            raise TooLarge(codes.REQUEST_INVALID, f"{what}; shorten them", field="executionContent.code")
        return filled

    def value(use: re.Match[str]) -> str:
        name, operator, operand = use[1], use[2], use[3]
        if name not in known:
            return use[0]
        if operator is None:
            return fitting(str(known[name]), use)
        try:
            return fitting(_reckon(known[name], operator, operand), use)
        except (ArithmeticError, ValueError) as error:
            shown = MASK if is_secret_name(name) else str(known[name])[:30]
            raise Invalid(
                codes.VARIABLE_ARITHMETIC,
                f"line {line(use)}: {use[0][:60]} cannot be reckoned: {name} is {shown!r}: {error}",
                field=f"params.variable.{name}",
            ) from None

    return _USE.sub(value, text)


def _reckon(value: str | DateValue, operator: str, operand: str) -> str:
    steps = int(operand) if operand.isdigit() else None
    if isinstance(value, DateValue):
        if operator not in "+-" or steps is None:
            raise ValueError("a date takes only + and - whole steps")
        return str(value.plus(steps if operator == "+" else -steps))
    for form, pattern in _DATES:
        if pattern.match(value):
            if operator not in "+-" or steps is None:
                raise ValueError("a date takes only + and - days")
            day = datetime.strptime(value, form) + timedelta(days=steps if operator == "+" else -steps)
            return day.strftime(form)
    if not _NUMBER.match(value):
        raise ValueError("only numbers without leading zeros and dates take arithmetic")
    left, right = Decimal(value), Decimal(operand)
    result = (
        {"+": left + right, "-": left - right, "*": left * right}.get(operator) if operator != "/" else left / right
    )
    assert result is not None
    return f"{result.normalize():f}"
