"""Result sets of a real Flink: types, values, empty ones, slow ones, large ones."""

from __future__ import annotations

import json
import time
from pathlib import Path

import psutil
import pytest

from tests.conftest import Service
from tests.support.jobs import BATCH, eventually, run, tables


def test_types_are_exact(service: Service) -> None:
    code = """
    SELECT CAST(1 AS TINYINT), CAST(2 AS SMALLINT), 3, 9223372036854775807, CAST(0.1 AS FLOAT), 1.5E0,
      CAST('12345678901234567890.123456789012345678' AS DECIMAL(38, 18)), TRUE, DATE '2026-01-02',
      TIMESTAMP '2026-01-02 03:04:05', CAST('2026-01-02 03:04:05.120000' AS TIMESTAMP(6)), 'x', X'61',
      CAST(NULL AS INT), ARRAY[1, 2], MAP['k', 1], ROW(1, 'z')
    """
    for mode in ("batch", "streaming"):
        (result,) = run(service, code, configuration={"execution.runtime-mode": mode}).results()
        assert [column.type for column in result.columns] == [
            "tinyint", "smallint", "int", "bigint", "float", "double", "decimal", "boolean", "date",
            "timestamp", "timestamp", "string", "binary", "int", "array", "map", "struct",
        ]  # fmt: skip
        (row,) = result.rows()
        assert row == [
            "1", "2", "3", "9223372036854775807", "0.1", "1.5", "12345678901234567890.123456789012345678", "true",
            "2026-01-02", "2026-01-02 03:04:05", "2026-01-02 03:04:05.120000", "x", "a", None, "[1, 2]", '{"k": 1}',
            '{"EXPR$0": 1, "EXPR$1": "z"}',
        ]  # fmt: skip


VALUES = [
    "CAST(1E10 AS DOUBLE)", "CAST(1.0E-5 AS DOUBLE)", "CAST(123456.789 AS DOUBLE)", "CAST(3.4E38 AS FLOAT)", "-0.1E0",
    "CAST(12.300 AS DECIMAL(10, 3))", "CAST(-5 AS BIGINT)", "TIME '10:11:12'", "DATE '0001-01-01'",
    "TIMESTAMP '1969-12-31 23:59:59.999'", "TIMESTAMP '0099-01-01 00:00:00'", "TIMESTAMP '2026-01-01 00:00:00.5'",
    "CAST(TIMESTAMP '2026-07-01 12:00:00' AS TIMESTAMP_LTZ(3))", "INTERVAL '1' DAY", "INTERVAL '3' YEAR",
    "CAST('ab' AS CHAR(4))", "''", "CAST('ünï' AS BYTES)", "TRUE", "CAST(1 AS TINYINT)",
]  # fmt: skip


def test_nested_values_are_exact_too(service: Service) -> None:
    code = """SELECT ARRAY[CAST('2026-01-02 03:04:05.123456789' AS TIMESTAMP(9))],
      MAP['k', CAST(1.50 AS DECIMAL(5, 2))],
      ROW(CAST(TO_TIMESTAMP_LTZ(0, 3) AS TIMESTAMP_LTZ(3)), TIMESTAMP '2026-01-02 03:04:05', CAST(NULL AS INT), TRUE)"""
    ((row,),) = tables(run(service, code, configuration={"table.local-time-zone": "Asia/Tokyo"}))
    assert row[:2] == ['["2026-01-02 03:04:05.123456789"]', '{"k": "1.50"}']
    assert list(json.loads(row[2] or "").values()) == ["1970-01-01 09:00:00.000", "2026-01-02 03:04:05", None, True]


@pytest.mark.parametrize(
    ("expression", "kind", "value"),
    [
        ("STR_TO_MAP('a=1')", "map", '{"a": "1"}'),
        ("ARRAY[X'61']", "array", '["a"]'),
        ("TIMESTAMP '9999-12-31 23:59:59.999999999'", "timestamp", "9999-12-31 23:59:59.999999999"),
        ("CAST('0001-01-01 00:00:00.1234567' AS TIMESTAMP(7))", "timestamp", "0001-01-01 00:00:00.1234567"),
        ("ARRAY[TIMESTAMP '9999-12-31 23:59:59.999999999']", "array", '["9999-12-31 23:59:59.999999999"]'),
        ("ROW(CAST(0.1 AS FLOAT))", "struct", '{"EXPR$0": 0.1}'),
    ],
)  # fmt: skip
def test_types_that_arrow_lacks_are_whole_all_the_same(
    service: Service, expression: str, kind: str, value: str
) -> None:
    (result,) = run(service, f"SELECT {expression}").results()
    assert result.columns[0].type == kind and list(result.rows()) == [[value]]


def test_a_session_zone_may_be_an_offset(service: Service) -> None:
    code = "SET 'table.local-time-zone'='GMT+08:00'; SELECT TO_TIMESTAMP_LTZ(0, 0)"
    assert tables(run(service, code)) == [[["1970-01-01 08:00:00.000"]]]


@pytest.mark.parametrize("mode", ["batch", "streaming"])
def test_values_are_what_flink_casts_to_string(service: Service, mode: str) -> None:
    columns = ", ".join(f"{value} AS v{n}" for n, value in enumerate(VALUES))
    casts = ", ".join(f"v{n}, CAST(v{n} AS STRING)" for n in range(len(VALUES)))
    configuration = {"execution.runtime-mode": mode, "table.local-time-zone": "Asia/Tokyo"}
    ((row,),) = tables(run(service, f"SELECT {casts} FROM (SELECT {columns})", configuration=configuration))
    shown, cast = (
        row[::2],
        [text.lower() if text in ("TRUE", "FALSE") else text for text in row[1::2] if text is not None],
    )
    assert dict(zip(VALUES, shown, strict=True)) == dict(zip(VALUES, cast, strict=True))


def test_an_empty_result_has_its_columns(service: Service) -> None:
    for mode in ("batch", "streaming"):
        code = "SELECT * FROM (VALUES (1, 'a')) AS t(id, name) WHERE id > 1; SHOW VIEWS"
        query, views = run(service, code, configuration={"execution.runtime-mode": mode}).results()
        assert [column.name for column in query.columns] == ["id", "name"] and list(query.rows()) == []
        assert len(views.columns) == 1 and list(views.rows()) == []


def test_rows_can_be_read_while_more_come(service: Service) -> None:
    code = "CREATE TABLE g (id BIGINT) WITH ('connector'='datagen', 'rows-per-second'='5'); SELECT * FROM g"
    job = service.client().submit(code)
    eventually(lambda: any(rows for rows in tables(job)), "rows of a running query")
    assert job.status() == "Running"
    job.kill()
    assert job.wait(30) == "Cancelled" and tables(job)[0]


def test_a_million_rows_in_bounded_memory(service: Service) -> None:
    code = """CREATE TABLE g (id BIGINT, name STRING) WITH ('connector'='datagen', 'number-of-rows'='1000000',
      'rows-per-second'='10000000', 'fields.id.kind'='sequence', 'fields.id.start'='1', 'fields.id.end'='1000000',
      'fields.name.length'='20');
    SELECT * FROM g"""
    run(service, "SELECT 1", configuration=BATCH)
    before = _memory(service)
    job, highest = service.client().submit(code, configuration=BATCH), dict(before)
    while job.status() not in ("Succeed", "Failed"):
        highest = {name: max(now, highest.get(name, now)) for name, now in _memory(service).items()}
        time.sleep(0.2)
    (result,) = job.results()
    assert sum(1 for _ in result.rows()) == 1_000_000
    highest["services"] = max(highest["services"], _memory(service)["services"])
    grown = {name: highest[name] - before[name] for name in before if name in highest}
    assert max(grown.values()) < 150 * 2**20, grown


def _memory(service: Service) -> dict[str, int]:
    """Resident bytes of our own processes: the service, and each engine connection by its folder."""
    found = {"services": psutil.Process(service.process.pid).memory_info().rss}
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if "services.engineconn" in line and str(service.home) in line[-1] and "sh" not in Path(line[0]).name:
            found[line[-1]] = process.memory_info().rss
    return found
