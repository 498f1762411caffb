"""SQL statements on a real Flink, through REST: what each kind does, and what happens when one is wrong."""

from __future__ import annotations

import json
import re

import pytest

from tests.conftest import Service
from tests.support.jobs import BATCH, run, tables

SINK = "CREATE TABLE s (id INT, name STRING) WITH ('connector' = 'blackhole')"


def test_each_job_has_a_session_of_its_own(service: Service) -> None:
    run(service, f"SET 'table.local-time-zone' = 'Asia/Tokyo'; {SINK}")
    zone, shown = tables(run(service, "SELECT CAST(TO_TIMESTAMP_LTZ(0, 3) AS STRING) LIKE '% 09:%'; SHOW TABLES"))
    assert zone == [["false"]] and shown == []


@pytest.mark.parametrize(
    ("script", "results"),
    [
        ("SET 'a' = 'b'; RESET 'a'; RESET; SET", 0),
        (f"{SINK}; ALTER TABLE s ADD c DOUBLE; DESCRIBE s; ALTER TABLE s RENAME TO t; SHOW TABLES; DROP TABLE t", 2),
        ("CREATE VIEW v AS SELECT 1 AS a; ALTER VIEW v RENAME TO w; SHOW VIEWS; SELECT * FROM w; DROP VIEW w", 2),
        ("CREATE DATABASE d; USE d; SHOW CURRENT DATABASE; ALTER DATABASE d SET ('k' = 'v'); SHOW DATABASES", 2),
        (
            "CREATE CATALOG c WITH ('type' = 'generic_in_memory'); USE CATALOG c; SHOW CURRENT CATALOG; "
            "DESCRIBE CATALOG c; USE CATALOG default_catalog; DROP CATALOG c; SHOW CATALOGS",
            3,
        ),
        (
            "CREATE FUNCTION f AS 'org.apache.flink.table.runtime.functions.SqlFunctionUtils'; SHOW USER FUNCTIONS; "
            "DROP FUNCTION f; SHOW USER FUNCTIONS",
            2,
        ),
        ("SHOW MODULES; UNLOAD MODULE core; SHOW MODULES; LOAD MODULE core; SELECT UPPER('a')", 3),
        (f"{SINK}; EXPLAIN INSERT INTO s VALUES (1, 'a'); EXPLAIN ESTIMATED_COST SELECT 1; SHOW CREATE TABLE s", 3),
        (f"{SINK}; EXPLAIN STATEMENT SET BEGIN INSERT INTO s VALUES (1, 'a'); INSERT INTO s VALUES (2, 'b'); END", 1),
        (f"{SINK}; EXECUTE STATEMENT SET BEGIN INSERT INTO s VALUES (1, 'a'); INSERT INTO s VALUES (2, 'b'); END", 0),
        (f"{SINK}; BEGIN STATEMENT SET; INSERT INTO s VALUES (1, 'a'); INSERT INTO s VALUES (2, ''); END; SELECT 1", 1),
        ("VALUES (1, 'a'), (2, 'b'); WITH q AS (SELECT 1 AS x) SELECT * FROM q; (SELECT 1) UNION ALL (SELECT 2)", 3),
        ("SHOW JOBS; SHOW JARS; SHOW FUNCTIONS", 3),
    ],
)  # fmt: skip
def test_every_kind_of_statement_runs(service: Service, script: str, results: int) -> None:
    assert len(list(run(service, script).results())) == results


def test_set_and_reset_mean_what_flink_means(service: Service) -> None:
    at = "SELECT CAST(TO_TIMESTAMP_LTZ(0, 3) AS STRING)"
    script = f"SET 'table.local-time-zone' = 'Asia/Tokyo'; {at}; RESET 'table.local-time-zone'; {at}"
    tokyo, reset = tables(run(service, script, configuration={"table.local-time-zone": "America/Lima"}))
    assert tokyo == [["1970-01-01 09:00:00.000"]] and reset != tokyo
    (lima,) = tables(run(service, at, configuration={"table.local-time-zone": "America/Lima"}))
    assert lima == [["1969-12-31 19:00:00.000"]]


def test_another_runtime_mode_keeps_what_the_session_has(service: Service) -> None:
    script = """
    CREATE TABLE made WITH ('connector' = 'filesystem', 'path' = 'modes', 'format' = 'csv') AS SELECT 1 AS id;
    CREATE VIEW v AS SELECT id + 1 AS more FROM made;
    SET 'execution.runtime-mode' = 'batch';
    SELECT more FROM v ORDER BY more
    """
    assert tables(run(service, script)) == [[["2"]]]


def test_streaming_is_the_default_and_updates_have_their_kind(service: Service) -> None:
    code = "SELECT b, COUNT(*) AS c FROM (VALUES (1, 'x'), (2, 'x')) AS t(a, b) GROUP BY b; SELECT 1 AS uno"
    grouped, one = run(service, code).results()
    assert [column.name for column in grouped.columns] == ["op", "b", "c"]
    assert list(grouped.rows()) == [["+I", "x", "1"], ["-U", "x", "1"], ["+U", "x", "2"]]
    assert [column.name for column in one.columns] == ["uno"] and list(one.rows()) == [["1"]]


@pytest.mark.parametrize(
    ("script", "where", "cause"),
    [
        ("SELECT 1;\nSELECT\n  nope", "statement 2 (line 3, column 3)", "Column 'nope' not found"),
        ("SELECT 1; SELEC 2", "statement 2 (line 1, column 11)", "Non-query expression"),
        ("SELECT 1;\n  SELECT FROM t", "statement 2 (line 2, column 10)", "FROM"),
        ("SELECT * FROM missing", "statement 1 (line 1, column 15)", "Object 'missing' not found"),
        (f"{SINK};\nINSERT INTO s VALUES (1)", "statement 2 (line 2, column 1)", "do not match"),
        ("CREATE TABLE k (a INT) WITH ('connector' = 'kafka'); SELECT * FROM k", "statement 2 (line 1", "'kafka'"),
        ("SELECT CAST(x AS INT) FROM (VALUES ('no')) AS t(x)", "statement 1 (line 1, column 1)", "input string: 'no'"),
        ("SELECT 1;\n SELECT 10 / (a - a) FROM (VALUES (1)) AS t(a)", "statement 2 (line 2, column 2)", "/ by zero"),
    ],
)  # fmt: skip
def test_an_error_names_its_place_and_the_root_cause(service: Service, script: str, where: str, cause: str) -> None:
    job = run(service, script, "Failed")
    said = job.history()["errDesc"]
    assert said.startswith(where) and cause in said
    assert "\n" not in said and "at org.apache" not in said
    log = job.log()
    assert any("\tat org.apache" in line for line in log), "the Java stack is in the log"
    assert any(line.endswith(f"ERROR {said}") for line in log)


def test_nothing_runs_when_a_later_statement_is_wrong(service: Service) -> None:
    code = """CREATE TABLE w (id INT) WITH ('connector'='filesystem', 'path'='deep/never', 'format'='csv');
    INSERT INTO w VALUES (1);
    SELECT 1;
    SELECT nope
      FROM w"""
    job = run(service, code, "Failed", configuration=BATCH)
    assert job.history()["errDesc"].startswith("statement 4 (line 4, column 12)")
    assert not (service.home / "workspace" / "admin" / "deep").exists()
    assert tables(job) == []


def test_a_check_leaves_no_trace_in_a_folder_that_is_there(service: Service) -> None:
    table = "CREATE TABLE w (id INT) WITH ('connector'='filesystem', 'path'='traced', 'format'='csv')"
    run(service, f"{table}; INSERT INTO w VALUES (1)", configuration=BATCH)
    folder = service.home / "workspace" / "admin" / "traced"
    before = sorted(folder.iterdir())
    run(service, f"{table}; INSERT INTO w VALUES (2); SELECT nope FROM w", "Failed", configuration=BATCH)
    assert sorted(folder.iterdir()) == before and len(before) == 1


def test_the_first_failing_statement_stops_and_earlier_results_stay(service: Service) -> None:
    code = "SELECT 1 AS a; SELECT CAST(x AS INT) FROM (VALUES ('no')) AS t(x); SELECT 3 AS c"
    job = run(service, code, "Failed", configuration=BATCH)
    assert tables(job)[0] == [["1"]] and len(tables(job)) == 2
    assert "statement 2" in job.history()["errDesc"]


def test_what_an_insert_wrote_is_in_the_log_and_the_metrics(service: Service) -> None:
    code = f"""{SINK};
    CREATE TABLE f (id INT, name STRING) WITH ('connector'='filesystem', 'path'='counted', 'format'='csv');
    INSERT INTO s VALUES (1, 'a'), (2, 'b'), (3, 'c');
    INSERT INTO f SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (3, 'c')) AS t(id, name) WHERE id > 1;
    BEGIN STATEMENT SET; INSERT INTO s VALUES (1, 'a'); INSERT INTO f VALUES (4, 'd'), (5, 'e'); END"""
    for mode in ("streaming", "batch"):
        job = run(service, code, configuration={"execution.runtime-mode": mode})
        statements = json.loads(job.history()["metrics"])["statements"]
        assert [statements[n].get("rows_written") for n in ("2", "3", "4")] == [3, 2, 3], mode
        told = [found[1] for line in job.log() if (found := re.search(r", (\d+) rows? written$", line))]
        assert told == ["3", "2", "3"]
        assert tables(job) == []


def test_a_print_table_prints_to_the_log(service: Service) -> None:
    code = "CREATE TABLE p (id INT) WITH ('connector' = 'print'); INSERT INTO p VALUES (41), (42)"
    log = run(service, code).log()
    assert any(line.endswith("INFO +I[42]") for line in log)


def test_set_lines_a_statement_set_and_variables(service: Service) -> None:
    code = f"""--@set n=3
    {SINK};
    BEGIN STATEMENT SET;
    INSERT INTO s VALUES (1, ';');
    INSERT INTO s VALUES (2, 'END');
    END;
    SELECT ${{n+1}} AS n, '${{who}}' AS who, '${{missing}}' AS kept, '${{run_date_std}}' AS d, '${{run_date}}' AS r"""
    ((row,),) = tables(run(service, code, variables={"who": "me", "run_date": "20240229"}))
    assert row == ["4", "me", "${missing}", "2024-02-29", "20240229"]
