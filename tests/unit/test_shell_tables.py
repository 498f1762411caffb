"""Files as tables: types of the whole file, batches of bounded size, and what is no table with the line and reason."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from services.engineconn.shell import json_rows, tables
from services.engineconn.shell.json_rows import Unreadable


def read(content: bytes, suffix: str) -> pa.Table:
    schema, batches = tables.read(io.BytesIO(content), suffix, lambda: None)
    return pa.Table.from_batches(batches, schema)


def types(table: pa.Table) -> dict[str, str]:
    return {column.name: str(column.type) for column in table.schema}


def test_csv_has_a_header_and_types() -> None:
    found = read(b'id,name,at,ok,x\n1,"a,\nb",2024-05-06 07:08:09,true,1.5\n2,"",2024-05-06 07:08:10,false,\n', ".csv")
    assert types(found) == {"id": "int64", "name": "string", "at": "timestamp[s]", "ok": "bool", "x": "double"}
    assert [(row["id"], row["name"], row["x"]) for row in found.to_pylist()] == [(1, "a,\nb", 1.5), (2, "", None)]


@pytest.mark.parametrize(
    ("late", "kind", "value"),
    [(b"7", "int64", 7), (b"1.5", "double", 1.5), (b"x", "string", "x"), (b"", "int64", None)],
)
def test_a_late_value_widens_its_column(late: bytes, kind: str, value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "LONGEST_CSV_ROW", 1024)
    found = read(b"a,b\n" + b"1,2\n" * 2000 + late + b",3\n", ".csv")
    assert types(found) == {"a": kind, "b": "int64"}
    assert (found.num_rows, found["a"][2000].as_py(), found["b"][2000].as_py()) == (2001, value, 3)


def test_a_column_that_is_empty_at_first_gets_the_type_of_what_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "LONGEST_CSV_ROW", 1024)
    assert types(read(b"a,b\n" + b"1,\n" * 2000 + b"1,5\n", ".csv")) == {"a": "int64", "b": "int64"}
    assert types(read(b"a,b\n1,\n", ".csv")) == {"a": "int64", "b": "string"}
    assert read(b"a,b\n", ".csv").num_rows == 0


JSON_FORMS = [
    b'{"a": 1, "b": "x"}\n{"a": null, "c": [1, {"d": 2}]}\n',
    b'[{"a": 1, "b": "x"}, {"a": null, "c": [1, {"d": 2}]}]',
    b'\xef\xbb\xbf [\n {\n"a": 1,\n"b": "x"}\n,\n{"a": null, "c": [1, {"d": 2}]}\n]\n',
    b'{"a": 1,\n "b": "x"} {"a": null, "c": [1, {"d": 2}]}',
]


@pytest.mark.parametrize("content", JSON_FORMS)
def test_json_is_lines_or_an_array(content: bytes) -> None:
    found = read(content, ".json")
    assert types(found) == {"a": "int64", "b": "string", "c": "string"}
    assert found.to_pylist() == [
        {"a": 1, "b": "x", "c": None}, {"a": None, "b": None, "c": '[1, {"d": 2}]'}
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "kind", "given"),
    [
        ([True, None], "bool", [True, None]),
        ([1, 2.5], "double", [1.0, 2.5]),
        ([1, "x"], "string", ["1", "x"]),
        ([True, 1], "string", ["true", "1"]),
        ([2**63, 1], "string", [str(2**63), "1"]),
        ([2**60 + 1, 0.5], "double", [float(2**60 + 1), 0.5]),
        ([None, None], "string", [None, None]),
        (["\ud800"], "string", ["?"]),
    ],
)
def test_a_json_column_has_the_type_that_holds_all_its_values(
    values: list[object], kind: str, given: list[object]
) -> None:
    found = read("\n".join(json.dumps({"a": value}) for value in values).encode(), ".jsonl")
    assert types(found) == {"a": kind} and found["a"].to_pylist() == given


def arrow(table: pa.Table, *, stream: bool = False) -> bytes:
    sink = io.BytesIO()
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


@pytest.mark.parametrize("stream", [True, False])
def test_arrow_is_a_file_or_a_stream(stream: bool) -> None:
    table = pa.table({"a": [1, None], "b": pa.array(["x", "x"]).dictionary_encode(), "n": pa.nulls(2)})
    table = table.replace_schema_metadata({"kind": "text"})
    found = read(arrow(table, stream=stream), ".arrow")
    assert types(found) == {"a": "int64", "b": "string", "n": "string"} and found.schema.metadata is None
    assert found.to_pylist() == [{"a": 1, "b": "x", "n": None}, {"a": None, "b": "x", "n": None}]


def test_a_large_arrow_batch_comes_in_slices_and_one_too_large_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    content = arrow(pa.table({"a": range(1_000_000)}))
    _, batches = tables.read(io.BytesIO(content), ".arrow", lambda: None)
    sizes = [batch.nbytes for batch in batches]
    assert sum(sizes) >= 8_000_000 and max(sizes) <= json_rows.BATCH_BYTES
    monkeypatch.setattr(tables, "LARGEST_ARROW_BATCH", 1_000_000)
    with pytest.raises(Unreadable, match="over 1000000 bytes; write smaller ones"):
        read(content, ".arrow")


LONG = b'{"a": "' + b"x" * (json_rows.LONGEST_ROW + 100_000) + b'"}'


@pytest.mark.parametrize(
    ("content", "suffix", "reason"),
    [
        (b"a,b\n1,2\n1,2,3\n", ".csv", "Row #3: Expected 2 columns, got 3"),
        (b"", ".csv", "Empty CSV file"),
        (b"a,b\n1,\xff\n", ".csv", "column 'b' is not UTF-8"),
        (b"a,a\n1,2\n", ".csv", "two of its columns are called 'a'"),
        (b"a\n" + b"x" * (2 * tables.LONGEST_CSV_ROW), ".csv", "a row is longer than"),
        (b'{"a": 1}\n{"a": }\n', ".jsonl", "line 2: Expecting value"),
        (b'{"a": 1}\n{"a": }\n' + b'{"a": 1}\n' * 1_000_000, ".jsonl", "line 2: Expecting value"),
        (b'{"a": 1}\n{"a": "', ".jsonl", "line 2: Unterminated string"),
        (b'{"a": 1}\n17\n', ".jsonl", "line 2: a row must be an object"),
        (b'[{"a": 1},\n]', ".json", "line 2: a row must be an object"),
        (b'[{"a": 1}\n{"a": 2}]', ".json", "line 2: there should be , or ] here"),
        (b'[{"a": 1}]\n\nx', ".json", "line 3: there is more behind the array"),
        (b'[{"a": 1}', ".json", "line 1: there should be , or ]"),
        (b'{"a": 1}\n{"a": "\xff"}\n', ".jsonl", "not UTF-8"),
        (b'{"a":' * 100_000, ".json", "too deep"),
        (b"{}\n{}\n", ".json", "no rows, which would tell its columns"),
        (b" \n", ".json", "no rows"),
        (LONG, ".json", "line 1: Unterminated string .*a row has 4194304 characters at most"),
        (b"not arrow", ".arrow", "it is no Arrow file that can be read"),
        (b"", ".arrow", "it is no Arrow file that can be read"),
        (arrow(pa.table({"a": [1]}))[:-20], ".arrow", "it is no Arrow file that can be read"),
        (arrow(pa.table({})), ".arrow", "it has no columns"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_table_says_where_and_why(content: bytes, suffix: str, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read(content, suffix)


def test_the_reading_can_be_ended() -> None:
    class Enough(Exception):
        pass

    def pause() -> None:
        raise Enough

    for content, suffix in ((b"a\n1\n", ".csv"), (b'{"a": 1}', ".json"), (arrow(pa.table({"a": [1]})), ".arrow")):
        with pytest.raises(Enough):
            tables.read(io.BytesIO(content), suffix, pause)


class Endless(io.RawIOBase):
    """A file of so many rows, made as it is read."""

    def __init__(self, row: bytes, count: int) -> None:
        self._row, self._size, self._at = row, len(row) * count, 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset
        return offset

    def read(self, size: int = -1) -> bytes:
        size = min(size, self._size - self._at)
        start = self._at % len(self._row)
        self._at += size
        return (self._row * (size // len(self._row) + 2))[start : start + size]


def test_a_large_json_file_is_read_in_little_memory() -> None:
    file: Any = Endless(json.dumps({"a": 1, "b": "x" * 10_000}).encode() + b"\n", 10_000)
    tracemalloc.start()
    try:
        _, batches = tables.read(file, ".jsonl", lambda: None)
        assert _rows(batches) == 10_000  # 100 MB
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def _rows(batches: Iterator[pa.RecordBatch]) -> int:
    return sum(batch.num_rows for batch in batches)
