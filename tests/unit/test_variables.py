"""Variables in users' code."""

from __future__ import annotations

import time
from datetime import datetime

import pytest

from commons.process.errors import Invalid
from services.entrance.variables import substitute

NOW = datetime(2026, 3, 1, 11, 22, 33)


def fill(code: str, **variables: str) -> str:
    return substitute(code, "sql", variables, {"workspace": "/w"}, NOW)


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
        ("--@set run_date=20240229\n${run_today}", {}, "\n20240301"),
        ("${n+1.5} ${n/4}", {"n": "3"}, "4.5 0.75"),
        ("${n/2} ${n*3}", {"n": "9007199254740994"}, "4503599627370497 27021597764222982"),
        (
            "SELECT '--@set q=1\n--@set r=2\n', '${r}' -- don't\n--@set r=3",
            {},
            "SELECT '--@set q=1\n--@set r=2\n', '3' -- don't\n",
        ),
        ("${a} ${b}", {"a": "${b}", "b": "1"}, "1 1"),
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
    assert substitute("#@set a=1\necho ${a}", "shell", {}, {}, NOW) == "\necho 1"


DATES = """run_date 20240229, run_date_std 2024-02-29, run_today 20240301, run_today_std 2024-03-01, run_mon 202402,
run_mon_std 2024-02, run_mon_start 202402, run_mon_end_std 2024-12, run_month_begin 20240201,
run_month_begin_std 2024-02-01, run_month_now_begin 20240201, run_month_end 20240229, run_month_end_std 2024-02-29,
run_month_now_end_std 2024-02-29, run_quarter_begin 20240101, run_quarter_end 20240331, run_half_year_begin 20240101,
run_half_year_end 20240630, run_year_begin 20240101, run_year_end_std 2024-12-31, run_today_h 2024030111,
run_today_h_std 2024-03-01 11, run_today_hour 2024030111, run_last_mon_now 202401, run_mon_now_std 2024-03,
run_current_mon_now 202403"""


@pytest.mark.parametrize("line", DATES.replace("\n", " ").split(", "))
def test_built_in_dates(line: str) -> None:
    name, _, value = line.partition(" ")
    assert fill(f"${{{name}}}", run_date="20240229") == value


@pytest.mark.parametrize(
    ("use", "value"),
    [
        ("run_date-1", "20240228"), ("run_month_begin-1", "20240101"), ("run_month_end+1", "20240331"),
        ("run_year_begin_std-3", "2021-01-01"), ("run_year_end+10", "20341231"), ("run_half_year_begin-1", "20230701"),
        ("run_quarter_end_std+1", "2024-06-30"), ("run_today_h+14", "2024030201"), ("run_mon-2", "202312"),
    ],
)  # fmt: skip
def test_a_step_of_a_built_in_date_is_its_period(use: str, value: str) -> None:
    assert fill(f"${{{use}}}", run_date="20240229") == value


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ("&{yyyy-01-01%-2y}", "2022-01-01"), ("&{yyyy-MM-01%-2M}", "2023-12-01"), ("&{yyyyMMdd%-1d}", "20240228"),
        ("&{yyyy MM ----- HH%-1H}", "2024 02 ----- 10"), ("&{HH:mm:ss%+1s}", "11:22:34"), ("&{yyyyMMdd}", "20240229"),
        ("&{no letters}", "&{no letters}"), ("&{", "&{"),
    ],
)  # fmt: skip
def test_date_patterns(pattern: str, value: str) -> None:
    assert fill(pattern, run_date="20240229") == value


def test_who_asks_is_built_in() -> None:
    assert substitute("${user} ${submit_user}", "sql", {}, {"user": "al", "submit_user": "al"}, NOW) == "al al"


@pytest.mark.parametrize(
    "code",
    [
        "/*" * 500_000, "'" * 999_999, "`" + "x" * 10**6, "--@set a=x" + " " * 10**6 + "y", "--@set a=1\n" * 100_000,
        "${" * 500_000, "${a" + " " * 10**6, "&{" * 500_000,
        "".join(f"--@set a{n}=${{a{n - 1}}}\n" for n in range(50_000)),
    ],
    ids=range(9),
)  # fmt: skip
def test_long_code_is_filled_in_a_moment(code: str) -> None:
    began = time.monotonic()
    fill(code, a="1")
    assert time.monotonic() - began < 20
