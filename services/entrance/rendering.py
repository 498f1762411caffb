"""Arrow values as texts: Flink's CAST AS STRING, nested ones as JSON, NULL as None. Pure.

A field's metadata may carry `type` (Flink's logical type, such as TIMESTAMP(3)) and `zone` (of a timestamp that is an
instant); without them the Arrow type decides.
"""

from __future__ import annotations

import decimal
import json
import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa

Render = Callable[[object], str | None]

_OFFSET = re.compile(r"^(?:GMT|UTC|UT)?([+-])(\d{1,2})(?::?(\d\d))?$")
_PRECISION = re.compile(r"\((\d+)\)")
_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}


def wire_type(field: pa.Field) -> str:
    """Linkis' name for a column's type; a timestamp that comes as text, being too fine for Arrow, still is one."""
    kind = field.type
    if pa.types.is_string(kind) and _marks(field).get("type", "").startswith("TIMESTAMP"):
        return "timestamp"
    for test, name in _WIRE:
        if test(kind):
            return name
    return "string"


def rendered(column: pa.Array, field: pa.Field) -> list[str | None]:
    """The column's values as texts."""
    render = _renderer(field)
    return [render(value) for value in _exact(column, field.type).to_pylist()]


def json_values(column: pa.Array, field: pa.Field) -> list[object]:
    """The column's values as JSON has them; scalars that it has no form for as their texts."""
    value_of = _to_json(field)
    return [value_of(value) for value in _exact(column, field.type).to_pylist()]


def _exact(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """The column with its timestamps as integers: Python's have no nanoseconds."""
    integers = _integers(kind)
    return column if integers == kind else column.cast(integers)


def _integers(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(kind):
        return pa.int64()
    if pa.types.is_list(kind):
        return pa.list_(_integers(kind.value_type))
    if pa.types.is_map(kind):
        return pa.map_(_integers(kind.key_type), _integers(kind.item_type))
    if pa.types.is_struct(kind):
        return pa.struct([(inner.name, _integers(inner.type)) for inner in kind])
    return kind


def _renderer(field: pa.Field) -> Render:
    """A function that renders one value (as `to_pylist` gives it) of this field."""
    kind = field.type
    if pa.types.is_timestamp(kind):
        return _timestamps(field)
    if pa.types.is_floating(kind):
        single = kind.bit_width <= 32
        return lambda value: None if value is None else java_double(float(value), single=single)  # type: ignore[arg-type]
    if pa.types.is_nested(kind):
        to_json = _to_json(field)
        return lambda value: None if value is None else json.dumps(to_json(value), ensure_ascii=False)
    return _plain


def _plain(value: object) -> str | None:
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case decimal.Decimal():
            return format(value, "f")
        case bytes():
            try:
                return value.decode("utf-8")
            except UnicodeDecodeError:
                return f"x'{value.hex()}'"
        case date() | time():
            return value.isoformat()
        case _:
            return str(value)


def _timestamps(field: pa.Field) -> Render:
    marks = _marks(field)
    found = _PRECISION.search(marks.get("type", ""))
    digits = int(found[1]) if found else _DIGITS[field.type.unit]
    zone = _zone(marks["zone"]) if "zone" in marks else None

    def render(value: object) -> str | None:
        if value is None:
            return None
        stamp, nanoseconds = _moment(value, field.type.unit)
        fraction = f".{nanoseconds:09d}"[: digits + 1] if digits else ""
        if zone is not None:
            try:
                stamp = stamp.replace(tzinfo=UTC).astimezone(zone)
            except OverflowError:  # beyond the years 1 to 9999 there: told as it is in UTC
                fraction += "Z"
        return f"{stamp.replace(microsecond=0, tzinfo=None).isoformat(' ')}{fraction}"

    return render


def _marks(field: pa.Field) -> dict[str, str]:
    return {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}


def _zone(name: str) -> tzinfo:
    """A time zone as Java names it: a place, or an offset such as GMT+08:00."""
    if found := _OFFSET.match(name):
        minutes = int(found[2]) * 60 + int(found[3] or 0)
        return timezone(timedelta(minutes=-minutes if found[1] == "-" else minutes))
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def _moment(value: object, unit: str) -> tuple[datetime, int]:
    """Whole seconds and nanoseconds of a value cast to an integer of `unit`s since the epoch."""
    per_second = 10 ** _DIGITS[unit]
    seconds, rest = divmod(int(value), per_second)  # type: ignore[call-overload]
    return datetime(1970, 1, 1) + timedelta(seconds=seconds), rest * (10**9 // per_second)


def _to_json(field: pa.Field) -> Callable[[object], object]:
    """A value as JSON would have it; scalars that JSON has no form for become their text."""
    kind = field.type
    if pa.types.is_list(kind):
        inner = _to_json(kind.value_field)
        return lambda value: None if value is None else [inner(item) for item in value]  # type: ignore[attr-defined]
    if pa.types.is_map(kind):
        key, item = _to_json(kind.key_field), _to_json(kind.item_field)
        return lambda value: None if value is None else {_key(key(k)): item(v) for k, v in value}  # type: ignore[attr-defined]
    if pa.types.is_struct(kind):
        fields = {inner.name: _to_json(inner) for inner in kind}
        return lambda value: None if value is None else {name: fields[name](value[name]) for name in fields}  # type: ignore[index]
    if pa.types.is_timestamp(kind):
        return _timestamps(field)
    if pa.types.is_float32(kind):
        return lambda value: value if value is None else _json_scalar(float(_shortest_single(value)))  # type: ignore[arg-type]
    return _json_scalar


def _key(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _json_scalar(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else java_double(value)
    return value if value is None or isinstance(value, bool | int | str) else _plain(value)


def java_double(value: float, *, single: bool = False) -> str:
    """A float as Java's Double.toString (Float.toString) prints it."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "-0.0" if math.copysign(1, value) < 0 else "0.0"
    shortest = _shortest_single(value) if single else repr(value)
    digits, exponent = _digits(shortest)
    sign = "-" if value < 0 else ""
    if -3 <= exponent < 7:
        if exponent < 0:
            return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
        whole = digits[: exponent + 1].ljust(exponent + 1, "0")
        return f"{sign}{whole}.{digits[exponent + 1 :] or '0'}"
    return f"{sign}{digits[0]}.{digits[1:] or '0'}E{exponent}"


def _digits(text: str) -> tuple[str, int]:
    """Significant digits, and the power of ten of the first one."""
    number = decimal.Decimal(text).normalize()
    return "".join(str(digit) for digit in number.as_tuple().digits), number.adjusted()


def _shortest_single(value: float) -> str:
    """The shortest decimal that reads back as the same 32-bit float."""
    single = pa.scalar(value, pa.float32())
    for precision in range(1, 10):
        text = f"{value:.{precision}g}"
        if pa.scalar(float(text), pa.float32()) == single:
            return text
    return repr(value)


_WIRE: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_int8, "tinyint"),
    (pa.types.is_int16, "smallint"),
    (pa.types.is_int32, "int"),
    (pa.types.is_int64, "bigint"),
    (pa.types.is_float32, "float"),
    (pa.types.is_float64, "double"),
    (pa.types.is_decimal, "decimal"),
    (pa.types.is_date, "date"),
    (pa.types.is_timestamp, "timestamp"),
    (pa.types.is_binary, "binary"),
    (pa.types.is_fixed_size_binary, "binary"),
    (pa.types.is_map, "map"),
    (pa.types.is_struct, "struct"),
    (pa.types.is_list, "array"),
)
