"""Result sets as Arrow, CSV and JSON lines, through REST and the SDK."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal

import httpx2
import pyarrow as pa
import pytest
from headgate import Job, Refused

from tests.conftest import Service
from tests.support.jobs import BATCH, run

CODE = """CREATE TABLE g (id BIGINT) WITH ('connector'='datagen', 'number-of-rows'='12000',
  'rows-per-second'='10000000', 'fields.id.kind'='sequence', 'fields.id.start'='0', 'fields.id.end'='11999');
SELECT id, CAST(id AS DECIMAL(10, 2)) AS d, CASE WHEN id = 1 THEN NULL ELSE 'a,' || CAST(id AS STRING) END AS t,
  ARRAY[id] AS l, id > 5 AS b FROM g; SHOW VIEWS"""


@pytest.fixture(scope="module")
def job(service: Service) -> Job:
    return run(service, CODE, configuration=BATCH)


def read(service: Service, job: Job, number: int = 0, **query: str | int) -> httpx2.Response:
    headers = {"Token-Code": service.token, "Token-User": service.user}
    url = f"{service.url}/api/rest_j/v1/entrance/{job.id}/results/{number}"
    return httpx2.get(url, params=query, headers=headers)


def test_arrow_has_the_exact_types(service: Service, job: Job) -> None:
    table = pa.ipc.open_stream(read(service, job).content).read_all()
    assert table.num_rows == 12_000 and table.column("id").to_pylist() == list(range(12_000))
    assert [str(field.type) for field in table.schema][:3] == ["int64", "decimal128(10, 2)", "string"]
    assert table.slice(1, 1).to_pylist()[0] | {"l": 0} == {"id": 1, "d": Decimal("1.00"), "t": None, "l": 0, "b": False}
    first, views = job.results()
    assert first.to_arrow().equals(table) and list(first.to_pandas()["id"][:2]) == [0, 1]
    assert views.to_arrow().num_rows == 0 and views.to_arrow().num_columns == 1


def test_csv_and_json_lines_hold_the_same(service: Service, job: Job) -> None:
    lines = list(csv.reader(io.StringIO(read(service, job, format="csv").text)))
    assert lines[:3] == [
        ["id", "d", "t", "l", "b"],
        ["0", "0.00", "a,0", "[0]", "false"],
        ["1", "1.00", "", "[1]", "false"],
    ]
    objects = [json.loads(line) for line in read(service, job, format="jsonl").text.splitlines()]
    assert len(objects) == len(lines) - 1 == 12_000
    assert objects[1] == {"id": 1, "d": "1.00", "t": None, "l": [1], "b": False}


@pytest.mark.parametrize("form", ["arrow", "csv", "jsonl"])
def test_a_range_of_rows(service: Service, job: Job, form: str) -> None:
    content = read(service, job, format=form, fromRow=7_000, rows=3).content
    if form == "arrow":
        ids = pa.ipc.open_stream(content).read_all().column("id").to_pylist()
    else:
        rows = content.decode().splitlines()
        ids = [
            json.loads(row)["id"] if form == "jsonl" else int(row.partition(",")[0]) for row in rows[form == "csv" :]
        ]
    assert ids == [7_000, 7_001, 7_002]


def test_what_is_not_there_is_refused(service: Service, job: Job) -> None:
    for query, number, field in (({"format": "xml"}, 0, "format"), ({"rows": "x"}, 0, "rows"), ({}, 9, "path")):
        reply = read(service, job, number, **query)
        assert reply.status_code == 400 and reply.json()["data"]["field"] == field
    with pytest.raises(Refused):
        list(service.client().job(999_999_999).results())
