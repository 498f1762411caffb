"""Rows of a query as Arrow batches, made by Flink's own Arrow writer in the JVM. Blocking."""

from __future__ import annotations

import io
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from services.engineconn.flink.session import Session

BATCH_ROWS = 5_000
FLUSH_SECONDS = 1.0
OP = pa.field("op", pa.string())
_CHAR = re.compile(r"\bCHAR\(\d+\)")
_BINARY = re.compile(r"\bBINARY\(\d+\)")
_LACKING = re.compile(r"\b(MULTISET|RAW|INTERVAL)\b|WITH TIME ZONE")


@dataclass(frozen=True, slots=True)
class Query:
    """A query ready to run: Flink's Table, the schema of what it gives, and whether rows are only ever added."""

    table: Any
    schema: pa.Schema
    only_adds: bool
    as_text: tuple[str, ...]
    """Columns whose type Arrow lacks: they come as text."""


def prepare(session: Session, text: str, *, only_adds: bool) -> Query:
    """Plan a query's result. Raises SqlError."""
    table = session.call(lambda: session.env.sqlQuery(text))
    columns = [table.getResolvedSchema().getColumn(i).get() for i in range(table.getResolvedSchema().getColumnCount())]
    as_text = tuple(str(c.getName()) for c in columns if _LACKING.search(_type(c)))
    types = [str(c.getDataType().getLogicalType().asSummaryString()) for c in columns]
    if any(_type(c) != _plain_type(c) for c in columns):
        table = session.call(lambda: table.select(_casts(session, columns)))
    schema = _schema(session, table, types)
    if not only_adds:
        schema = schema.insert(0, OP)
    return Query(table, schema, only_adds, as_text)


def batches(session: Session, query: Query, cancelled: Callable[[], bool]) -> Iterator[pa.RecordBatch]:
    """Run the query and give its rows as they come."""
    if not session.streaming:
        arrow = session.jvm.org.apache.flink.table.runtime.arrow.ArrowUtils
        chunks = session.call(lambda: arrow.collectAsPandasDataFrame(query.table, BATCH_ROWS))
        stream = io.BufferedReader(_Chunks(session, chunks))
        if not stream.peek(1):
            return
        with pa.ipc.open_stream(stream) as reader:
            for batch in reader:
                yield pa.RecordBatch.from_arrays(batch.columns, schema=query.schema)
        return
    yield from _Streaming(session, query).batches(cancelled)


class _Chunks(io.RawIOBase):
    """The JVM's iterator of byte arrays as one readable stream, asked for as it is read."""

    def __init__(self, session: Session, chunks: Any) -> None:
        self._session = session
        self._chunks = chunks
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            if not self._session.call(self._chunks.hasNext):
                return 0
            self._rest = bytes(self._session.call(self._chunks.next))
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


class _Streaming:
    """Rows one by one into Flink's Arrow writer; a batch is closed by count or by time."""

    def __init__(self, session: Session, query: Query) -> None:
        self._session = session
        self._query = query
        runtime = session.jvm.org.apache.flink.table.runtime.arrow.ArrowUtils
        shaded = session.jvm.org.apache.flink.api.python.shaded.org.apache.arrow
        row_type = query.table.getResolvedSchema().toSourceRowDataType().getLogicalType()
        self._allocator = runtime.getRootAllocator().newChildAllocator("headgate", 0, 2**62)
        self._root = shaded.vector.VectorSchemaRoot.create(runtime.toArrowSchema(row_type), self._allocator)
        self._writer = runtime.createRowDataArrowWriter(self._root, row_type)
        self._bytes = session.jvm.java.io.ByteArrayOutputStream()
        self._stream = shaded.vector.ipc.ArrowStreamWriter(self._root, None, self._bytes)
        self._schema_bytes = b""
        self._lock = threading.Lock()
        self._kinds: list[str] = []
        self._count = 0

    def batches(self, cancelled: Callable[[], bool]) -> Iterator[pa.RecordBatch]:
        self._stream.start()
        self._schema_bytes = self._take()
        result = self._session.call(self._query.table.execute)
        rows = result.collectInternal()
        flushed = time.monotonic()
        try:
            while not cancelled() and self._session.call(rows.hasNext):
                row = rows.next()
                if not self._query.only_adds:
                    self._kinds.append(str(row.getRowKind().shortString()))
                self._writer.write(row)
                self._count += 1
                if self._count >= BATCH_ROWS or time.monotonic() - flushed >= FLUSH_SECONDS:
                    yield self._batch()
                    flushed = time.monotonic()
            if self._count:
                yield self._batch()
        finally:
            rows.close()
            self._root.close()
            self._allocator.close()

    def _batch(self) -> pa.RecordBatch:
        self._writer.finish()
        self._stream.writeBatch()
        with pa.ipc.open_stream(self._schema_bytes + self._take()) as reader:
            batch = reader.read_next_batch()
        self._writer.reset()
        columns = list(batch.columns)
        if not self._query.only_adds:
            columns.insert(0, pa.array(self._kinds, pa.string()))
        self._kinds, self._count = [], 0
        return pa.RecordBatch.from_arrays(columns, schema=self._query.schema)

    def _take(self) -> bytes:
        taken = bytes(self._bytes.toByteArray())
        self._bytes.reset()
        return taken


def _casts(session: Session, columns: list[Any]) -> Any:
    """Each column as it is, or cast to the nearest type that Arrow has."""
    api, types = session.jvm.org.apache.flink.table.api, session.jvm.org.apache.flink.table.types
    array = session.new_array(session.jvm.org.apache.flink.table.expressions.Expression, len(columns))
    no_names = session.new_array(session.jvm.java.lang.String, 0)
    loader = session.jvm.java.lang.Thread.currentThread().getContextClassLoader()
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
    """The column's type with what Arrow lacks replaced: CHAR and BINARY in it, or all of it by STRING."""
    text = _type(column)
    if _LACKING.search(text):
        return "STRING"
    return _BINARY.sub("BYTES", _CHAR.sub("STRING", text))


def _type(column: Any) -> str:
    return str(column.getDataType().getLogicalType())


def _schema(session: Session, table: Any, types: list[str]) -> pa.Schema:
    """The Arrow schema Flink will use, each field marked with Flink's type and, for an instant, the session's zone."""
    runtime = session.jvm.org.apache.flink.table.runtime.arrow.ArrowUtils
    row_type = table.getResolvedSchema().toSourceRowDataType().getLogicalType()
    allocator = runtime.getRootAllocator().newChildAllocator("headgate-schema", 0, 2**62)
    shaded = session.jvm.org.apache.flink.api.python.shaded.org.apache.arrow
    root = shaded.vector.VectorSchemaRoot.create(runtime.toArrowSchema(row_type), allocator)
    written = session.jvm.java.io.ByteArrayOutputStream()
    shaded.vector.ipc.ArrowStreamWriter(root, None, written).start()
    plain = pa.ipc.open_stream(bytes(written.toByteArray())).schema
    root.close()
    allocator.close()
    zone = str(session.env.getConfig().getLocalTimeZone().getId())
    fields = []
    for field, kind in zip(plain, types, strict=True):
        metadata = {"type": kind}
        if kind.startswith("TIMESTAMP_LTZ"):
            metadata["zone"] = zone
        fields.append(field.with_metadata(metadata))
    return pa.schema(fields)
