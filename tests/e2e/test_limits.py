"""A SELECT that would give too much, or for too long, ends at its limit with what it has, and says so."""

from __future__ import annotations

import pytest

from tests.conftest import Service
from tests.support.jobs import eventually, run, tables

ENDLESS = "CREATE TABLE g (id BIGINT) WITH ('connector'='datagen', 'rows-per-second'='{}'{})"
BILLION = ENDLESS.format(10**7, ", 'number-of-rows'='1000000000'")
STOPPED = "The SELECT is stopped at its limit, "


def running_in_flink(service: Service) -> list[str | None]:
    """The jobs that run on the engine that a job of the same tenant finds idle."""
    (jobs,) = tables(run(service, "SHOW JOBS"))
    return [row[1] for row in jobs if row[2] == "RUNNING"]


@pytest.mark.parametrize("mode", ["batch", "streaming"])
def test_a_billion_rows_stop_at_the_limit_with_a_note(service: Service, mode: str) -> None:
    script = f"{BILLION}; SET 'headgate.select.rows' = '12345'; SELECT id FROM g; SELECT 1"
    job = run(service, script, configuration={"execution.runtime-mode": mode})
    rows, after = tables(job)
    assert len(rows) == 12345 and after == [["1"]]
    eventually(lambda: not running_in_flink(service), "nothing goes on behind")
    log = "\n".join(job.log())
    assert f"WARN {STOPPED}headgate.select.rows = 12345" in log and "Succeed after" in log


def test_what_has_as_many_rows_as_it_may_is_not_said_to_be_cut(service: Service) -> None:
    job = run(service, "SELECT * FROM (VALUES (1), (2)) AS t(a)", configuration={"headgate.select.rows": "2"})
    assert tables(job) == [[["1"], ["2"]]] and STOPPED not in "\n".join(job.log())


def test_an_endless_select_ends_when_its_time_is_over_and_keeps_row_kinds(service: Service) -> None:
    script = f"{ENDLESS.format(20, '')}; SELECT COUNT(*) AS c FROM g"
    job = run(service, script, configuration={"headgate.select.seconds": "4"})
    (rows,) = tables(job)
    assert rows[0] == ["+I", "1"] and {kind for kind, _ in rows[1:]} == {"-U", "+U"}
    assert f"WARN {STOPPED}headgate.select.seconds = 4" in "\n".join(job.log())


def test_a_slow_stream_stops_at_its_row_limit_at_once(service: Service) -> None:
    script = "CREATE TABLE g (id INT) WITH ('connector'='datagen', 'rows-per-second'='1'); SELECT id FROM g"
    job = run(service, script, configuration={"headgate.select.rows": "1"})
    assert len(tables(job)[0]) == 1


@pytest.mark.parametrize("value", ["0", "many", "99999999999"])
def test_more_than_the_administrator_allows_is_refused_in_the_check(service: Service, value: str) -> None:
    for script, configuration in (
        (f"SET 'headgate.select.rows' = '{value}'; SELECT 1", {}),
        ("SELECT 1", {"headgate.select.rows": value}),
    ):
        job = run(service, script, "Failed", configuration=configuration)
        assert "headgate.select.rows must be a number above 0, at most 10000000;" in job.history()["errDesc"]
