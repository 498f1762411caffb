"""Variables in users' code."""

from __future__ import annotations

from datetime import date

import pytest

from commons.process.errors import Invalid
from services.entrance.variables import substitute

TODAY = date(2026, 3, 1)


def fill(code: str, **variables: str) -> str:
    return substitute(code, "sql", variables, {"workspace": "/w"}, TODAY)


@pytest.mark.parametrize(
    ("code", "variables", "filled"),
    [
        ("${a}", {"a": "1"}, "1"),
        ("${ a }-${a+1}", {"a": "1"}, "1-2"),
        ("${a*3} ${a/2} ${a-5}", {"a": "4"}, "12 2 -1"),
        ("${missing} ${missing+1} $a ${", {"a": "1"}, "${missing} ${missing+1} $a ${"),
        ("${run_date} ${run_date_std}", {}, "20260228 2026-02-28"),
        ("${run_date-1} ${run_date_std+1}", {}, "20260227 2026-03-01"),
        ("${run_date} ${run_date_std}", {"run_date": "20240229"}, "20240229 2024-02-29"),
        ("'${workspace}/x'", {}, "'/w/x'"),
        ("--@set b=7\nSELECT ${b+1}", {}, "\nSELECT 8"),
        ("--@set b=${a+1}\n${b}", {"a": "1"}, "\n2"),
        ("${d+1}", {"d": "2024-02-28"}, "2024-02-29"),
    ],
)
def test_filled(code: str, variables: dict[str, str], filled: str) -> None:
    assert fill(code, **variables) == filled


@pytest.mark.parametrize(
    ("code", "variables", "named"),
    [
        ("\n${a+1}", {"a": "x"}, "line 2"),
        ("${a+1}", {"a": "007"}, "a is '007'"),
        ("${a/0}", {"a": "1"}, "a is '1'"),
        ("1", {"run_date": "2024-02-29"}, "run_date must be yyyyMMdd"),
        ("--@set nonsense", {}, "line 1"),
    ],
)
def test_refused_with_the_variable_and_the_line(code: str, variables: dict[str, str], named: str) -> None:
    with pytest.raises(Invalid, match=named):
        fill(code, **variables)


def test_the_shell_has_its_own_set_line() -> None:
    assert substitute("#@set a=1\necho ${a}", "shell", {}, {}, TODAY) == "\necho 1"
