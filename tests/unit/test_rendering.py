"""Arrow values as Flink's CAST AS STRING."""

from __future__ import annotations

import datetime
import decimal

import pyarrow as pa
import pytest

from services.entrance.rendering import java_double, wire_type
from services.entrance.results import rendered_rows


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1.0"), (0.1, "0.1"), (1e7, "1.0E7"), (9999999.0, "9999999.0"), (1.5e-3, "0.0015"), (1e-4, "1.0E-4"),
        (-2.5e20, "-2.5E20"), (0.0, "0.0"), (-0.0, "-0.0"), (float("nan"), "NaN"), (float("-inf"), "-Infinity"),
        (123456.789, "123456.789"),
    ],
)  # fmt: skip
def test_doubles_are_printed_as_java_does(value: float, text: str) -> None:
    assert java_double(value) == text


def test_singles_are_printed_with_their_own_precision() -> None:
    assert java_double(pa.scalar(0.1, pa.float32()).as_py(), single=True) == "0.1"


def render(kind: pa.DataType, value: object, **metadata: str) -> str | None:
    schema = pa.schema([pa.field("c", kind, metadata=metadata or None)])
    batch = pa.RecordBatch.from_arrays([pa.array([value], kind)], schema=schema)
    return rendered_rows(batch, schema)[0][0]


NOON = datetime.datetime(2026, 1, 2, 12, 0, 0, 120_000)


@pytest.mark.parametrize(
    ("kind", "value", "metadata", "text"),
    [
        (pa.bool_(), True, {}, "true"),
        (pa.int64(), 2**62, {}, str(2**62)),
        (pa.decimal128(10, 2), decimal.Decimal("1.50"), {}, "1.50"),
        (pa.timestamp("ms"), NOON, {"type": "TIMESTAMP(3)"}, "2026-01-02 12:00:00.120"),
        (pa.timestamp("s"), NOON.replace(microsecond=0), {"type": "TIMESTAMP(0)"}, "2026-01-02 12:00:00"),
        (pa.timestamp("us"), NOON, {"type": "TIMESTAMP(6)"}, "2026-01-02 12:00:00.120000"),
        (pa.timestamp("ms"), NOON, {"type": "TIMESTAMP_LTZ(3)", "zone": "Asia/Tokyo"}, "2026-01-02 21:00:00.120"),
        (pa.date32(), datetime.date(2026, 1, 2), {}, "2026-01-02"),
        (pa.binary(), b"\xff\x00", {}, "x'ff00'"),
        (pa.list_(pa.int32()), [1, None], {}, "[1, null]"),
        (pa.map_(pa.string(), pa.int32()), [("k", 1)], {}, '{"k": 1}'),
        (pa.struct([("a", pa.int32()), ("b", pa.string())]), {"a": 1, "b": "é"}, {}, '{"a": 1, "b": "é"}'),
        (pa.list_(pa.timestamp("ns")), [1], {}, '["1970-01-01 00:00:00.000000001"]'),
        (pa.list_(pa.float64()), [float("nan"), 1.5], {}, '["NaN", 1.5]'),
        (pa.list_(pa.decimal128(5, 2)), [decimal.Decimal("1.50")], {}, '["1.50"]'),
        (pa.struct([("a", pa.float32())]), {"a": 0.1}, {}, '{"a": 0.1}'),
        (pa.timestamp("ms"), NOON, {"type": "TIMESTAMP_LTZ(3)", "zone": "GMT+08:00"}, "2026-01-02 20:00:00.120"),
        (pa.timestamp("ms"), NOON, {"type": "TIMESTAMP_LTZ(0)", "zone": "-03:30"}, "2026-01-02 08:30:00"),
        (
            pa.timestamp("s"),
            datetime.datetime(9999, 12, 31, 20),
            {"type": "TIMESTAMP_LTZ(0)", "zone": "Asia/Tokyo"},
            "9999-12-31 20:00:00Z",
        ),
        (pa.timestamp("s"), datetime.datetime(99, 1, 1), {}, "0099-01-01 00:00:00"),
        (pa.string(), None, {}, None),
        (pa.float64(), None, {}, None),
    ],
)
def test_rendered(kind: pa.DataType, value: object, metadata: dict[str, str], text: str | None) -> None:
    assert render(kind, value, **metadata) == text


def test_wire_types() -> None:
    kinds = [pa.int8(), pa.int16(), pa.float32(), pa.decimal128(5, 1), pa.binary(), pa.list_(pa.int8()), pa.time32("s")]
    assert [wire_type(pa.field("c", kind)) for kind in kinds] == [
        "tinyint",
        "smallint",
        "float",
        "decimal",
        "binary",
        "array",
        "string",
    ]


def test_a_timestamp_too_fine_for_arrow_still_is_one() -> None:
    assert wire_type(pa.field("c", pa.string(), metadata={"type": "TIMESTAMP(9)"})) == "timestamp"
