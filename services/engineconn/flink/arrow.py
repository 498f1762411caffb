"""Rows of a query as Arrow batches, made by Flink's own Arrow writer in the JVM. Blocking."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from services.engineconn.flink.session import Session

BATCH_ROWS = 5_000
BATCH_MS = 500
OP = pa.field("op", pa.string())
_KINDS = ("+I", "-U", "+U", "-D")
"""As Flink numbers and writes them."""
_FINE = re.compile(r"\bTIMESTAMP\([789]\)( WITH LOCAL TIME ZONE)?")
_LACKING = re.compile(r"\b(MULTISET|RAW|INTERVAL)\b|WITH TIME ZONE")


@dataclass(frozen=True, slots=True)
class Query:
    """A query ready to run: Flink's Table, the schema of what it gives, and whether rows are only ever added."""

    table: Any
    row_type: Any
    schema: pa.Schema
    only_adds: bool
    as_text: tuple[str, ...]
    """Columns whose type Arrow lacks: they come as text."""


def prepare(session: Session, text: str, *, only_adds: bool) -> Query:
    """Plan a query's result. Raises SqlError."""
    table = session.call(lambda: session.env.sqlQuery(text))
    columns = [table.getResolvedSchema().getColumn(i).get() for i in range(table.getResolvedSchema().getColumnCount())]
    as_text = tuple(str(c.getName()) for c in columns if _LACKING.search(_type(c)))
    if any(_type(c) != _plain_type(c) for c in columns):
        table = session.call(lambda: table.select(_casts(session, columns)))
    row_type = table.getResolvedSchema().toSourceRowDataType().getLogicalType()
    schema = _schema(session, row_type, [_summary(c.getDataType().getLogicalType()) for c in columns])
    return Query(table, row_type, schema if only_adds else schema.insert(0, OP), only_adds, as_text)


def batches(session: Session, query: Query, cancelled: Callable[[], bool]) -> Generator[pa.RecordBatch, None, None]:
    """Run the query and give its rows as they come, until it ends or is cancelled; an empty batch when none came.

    Who stops reading closes it, which ends the query. Raises SqlError.
    """
    java = session.jvm.new("RowBatches")
    schema = bytes(session.call(lambda: java.open(query.row_type)))
    try:
        java.read(session.call(query.table.execute).collectInternal())
        while not cancelled() and (content := session.call(lambda: java.next(BATCH_ROWS, BATCH_MS))) is not None:
            if not content:
                yield pa.RecordBatch.from_pylist([], query.schema)
                continue
            with pa.ipc.open_stream(schema + bytes(content)) as reader:
                columns = reader.read_next_batch().columns
            if not query.only_adds:
                columns.insert(0, pa.array([_KINDS[int(kind)] for kind in java.kinds()], pa.string()))
            yield pa.RecordBatch.from_arrays(columns, schema=query.schema)
    finally:
        session.call(java.close)


def _casts(session: Session, columns: list[Any]) -> Any:
    """Each column as it is, or cast to the nearest type that Arrow has."""
    api, types = session.jvm.root.org.apache.flink.table.api, session.jvm.root.org.apache.flink.table.types
    array = session.jvm.array(session.jvm.root.org.apache.flink.table.expressions.Expression, len(columns))
    no_names = session.jvm.array(session.jvm.root.java.lang.String, 0)
    loader = session.jvm.root.java.lang.Thread.currentThread().getContextClassLoader()
    for index, column in enumerate(columns):
        name, plain = str(column.getName()), _plain_type(column)
        expression = getattr(api.Expressions, "$")(name)
        if plain != _type(column):
            logical = types.logical.utils.LogicalTypeParser.parse(plain, loader)
            wanted = types.utils.TypeConversions.fromLogicalToDataType(logical)
            expression = getattr(expression.cast(wanted), "as")(name, no_names)
        array[index] = expression
    return array


def _plain_type(column: Any) -> str:
    """The column's type with what Arrow lacks replaced by STRING: all of it, or times finer than microseconds.

    Arrow counts nanoseconds in 64 bits, which end in the years 1677 and 2262.
    """
    text = _type(column)
    return "STRING" if _LACKING.search(text) else _FINE.sub("STRING", text)


def _type(column: Any) -> str:
    return str(column.getDataType().getLogicalType())


def _schema(session: Session, row_type: Any, asked: list[str]) -> pa.Schema:
    """The Arrow schema Flink will use, its fields marked, also those inside of others.

    `asked` are the types that the query's columns have; a column that comes as text is marked with its own.
    """
    java = session.jvm.new("RowBatches")
    plain = pa.ipc.open_stream(bytes(session.call(lambda: java.open(row_type)))).schema
    java.close()
    zone = str(session.env.getConfig().getLocalTimeZone().getId())
    types = list(row_type.getChildren())
    marked = [_marked(field, kind, zone) for field, kind in zip(plain, types, strict=True)]
    return pa.schema(
        [
            field.with_metadata({"type": own}) if pa.types.is_string(field.type) else field
            for field, own in zip(marked, asked, strict=True)
        ]
    )


def _marked(field: pa.Field, logical: Any, zone: str) -> pa.Field:
    """The field with Flink's type in its metadata and, for an instant, the session's zone."""
    kind, inner = field.type, list(logical.getChildren())
    if pa.types.is_list(kind):
        kind = pa.list_(_marked(kind.value_field, inner[0], zone))
    elif pa.types.is_map(kind):
        kind = pa.map_(_marked(kind.key_field, inner[0], zone), _marked(kind.item_field, inner[1], zone))
    elif pa.types.is_struct(kind):
        kind = pa.struct([_marked(kind.field(n), inner[n], zone) for n in range(kind.num_fields)])
    metadata = {"type": _summary(logical)}
    if metadata["type"].startswith("TIMESTAMP_LTZ"):
        metadata["zone"] = zone
    return pa.field(field.name, kind, field.nullable, metadata)


def _summary(logical: Any) -> str:
    return str(logical.asSummaryString())
