"""Variables in users' code: ${name}, and ${name+1} on numbers and dates. Undefined ones stay as they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta

from commons.process.errors import Invalid
from protocol import codes

_USE = re.compile(r"\$\{\s*([A-Za-z_][\w.]*)\s*(?:([-+*/])\s*(\d+)\s*)?\}")
_NUMBER = re.compile(r"^-?(0|[1-9]\d*)(\.\d+)?$")
_SET = {"shell": re.compile(r"^[ \t]*#@set[ \t]+(.*)$", re.M)}
_SET_SQL = re.compile(r"^[ \t]*--@set[ \t]+(.*)$", re.M)
_ASSIGNMENT = re.compile(r"^([A-Za-z_][\w.]*)\s*=\s*(.*?)\s*;?\s*$")
_DATES = (("%Y%m%d", re.compile(r"^\d{8}$")), ("%Y-%m-%d", re.compile(r"^\d{4}-\d\d-\d\d$")))


def substitute(
    code: str, code_type: str, variables: Mapping[str, str], builtins: Mapping[str, str], today: date
) -> str:
    """The code with its variables filled in. `--@set a=b` lines are blanked, so that line numbers stay.

    Values come, first to last, from the built-ins, `variables` and the code's own lines; a value may use those set
    before it. Raises Invalid naming the variable and the line.
    """
    known = {**builtins, **variables}
    known |= {name: value for name, value in _run_date(variables, today).items() if name not in variables}
    for name, value in variables.items():
        known[name] = _fill(value, {k: v for k, v in known.items() if k != name})
    pattern = _SET.get("shell" if code_type in ("sh", "shell") else code_type, _SET_SQL)
    for line in pattern.finditer(code):
        found = _ASSIGNMENT.match(line[1])
        if found is None:
            where = code.count("\n", 0, line.start()) + 1
            raise Invalid(codes.VARIABLE_NAME, f"line {where}: write @set name=value", field="executionContent.code")
        known[found[1]] = _fill(found[2], known)
    return _fill(pattern.sub("", code), known)


def _run_date(variables: Mapping[str, str], today: date) -> dict[str, str]:
    """run_date (yesterday, unless the user gives one) and its form with dashes."""
    given = variables.get("run_date")
    if given is None:
        day = today - timedelta(days=1)
    else:
        try:
            day = datetime.strptime(given, "%Y%m%d").date()
        except ValueError:
            raise Invalid(
                codes.VARIABLE_DATE,
                f"variable run_date must be yyyyMMdd, not {given[:30]!r}",
                field="params.variable.run_date",
            ) from None
    return {"run_date": day.strftime("%Y%m%d"), "run_date_std": day.isoformat()}


def _fill(text: str, known: Mapping[str, str]) -> str:
    def value(use: re.Match[str]) -> str:
        name, operator, operand = use[1], use[2], use[3]
        if name not in known:
            return use[0]
        if operator is None:
            return known[name]
        try:
            return _reckon(known[name], operator, int(operand))
        except (ArithmeticError, ValueError) as error:
            where = text.count("\n", 0, use.start()) + 1
            raise Invalid(
                codes.VARIABLE_ARITHMETIC,
                f"line {where}: {use[0]} cannot be reckoned: {name} is {known[name][:30]!r}: {error}",
                field=f"params.variable.{name}",
            ) from None

    return _USE.sub(value, text)


def _reckon(value: str, operator: str, operand: int) -> str:
    for form, pattern in _DATES:
        if pattern.match(value):
            if operator not in "+-":
                raise ValueError("a date takes only + and - days")
            day = datetime.strptime(value, form) + timedelta(days=operand if operator == "+" else -operand)
            return day.strftime(form)
    if not _NUMBER.match(value):
        raise ValueError("only numbers without leading zeros and dates take arithmetic")
    number: float | int = float(value) if "." in value else int(value)
    if operator == "/":
        quotient = number / operand
        return str(int(quotient)) if quotient == int(quotient) else str(quotient)
    return str({"+": number + operand, "-": number - operand, "*": number * operand}[operator])
