"""Result sets under the storage root, read page by page in bounded memory."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator

import pyarrow as pa

from commons.storage import Entry, Storage
from protocol import layout, names
from services.entrance.rendering import json_values, rendered, wire_type
from services.entrance.wire.results import Column, Page, Row, path_missing

ROWS_AT_ONCE = 1000
PIECE_BYTES = 1 << 18
_VIRTUAL = re.compile(r"_(\d{1,9})\.dolphin", re.A)


def virtual_name(number: int) -> str:
    """The file name under which Linkis clients see result set `number`."""
    return f"_{number}.dolphin"


class Results:
    """`location` is a job's results folder, relative to the storage root."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def files(self, location: str) -> list[Entry]:
        """Each result set as a file with its virtual name, in the order of the statements."""
        sets = sorted(int(e.name) for e in self._storage.list(location) if not e.is_file and e.name.isdigit())
        files = []
        for number in sets:
            parts = self._storage.list(f"{location}/{number}")
            if not parts:
                continue  # it is only coming to be
            size, modified = sum(part.size for part in parts), max((part.modified_ms for part in parts), default=0)
            files.append(Entry(virtual_name(number), True, size, modified))
        return files

    def page(self, location: str, name: str, first_row: int, max_rows: int) -> Page:
        """Rows `first_row` (from 0) and on. Raises NotFound when there is no such result set."""
        folder, schema = self._found(location, name)
        return _page(schema, self._rows(folder, schema, first_row, max_rows))

    def stream(self, location: str, name: str) -> tuple[Page, Iterator[Row]]:
        """A whole result set: its columns, as a page without rows, and its rows one by one, read as they are asked for.

        Raises NotFound at once when there is no such result set.
        """
        folder, schema = self._found(location, name)
        rows = (
            row
            for batch in self._batches(folder, 0)
            for start in range(0, batch.num_rows, ROWS_AT_ONCE)
            for row in rendered_rows(batch.slice(start, ROWS_AT_ONCE), schema)
        )
        return _page(schema, []), rows

    def batches(
        self, location: str, name: str, first_row: int, max_rows: int
    ) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """A range of rows as they are kept, read as they are asked for. Raises NotFound at once when there is none."""
        folder, schema = self._found(location, name)
        return schema, _first_rows(self._batches(folder, first_row), max_rows)

    def size(self, location: str, name: str) -> tuple[int, int]:
        """How many columns and rows a result set has. Raises NotFound when there is none."""
        folder, schema = self._found(location, name)
        last = max((first for first, *_ in self._parts(folder)), default=0)
        return len(schema), last + sum(batch.num_rows for batch in self._batches(folder, last))

    def _found(self, location: str, name: str) -> tuple[str, pa.Schema]:
        found = _VIRTUAL.fullmatch(name)
        folder = f"{location}/{found[1]}" if found else ""
        schema = self._schema(folder) if found else None
        if schema is None:
            raise path_missing(f"{location}/{name}")
        return folder, schema

    def _schema(self, folder: str) -> pa.Schema | None:
        try:
            with self._storage.open(f"{folder}/{layout.SCHEMA}") as file, pa.ipc.open_stream(file) as stream:
                return stream.schema
        except FileNotFoundError:
            return None

    def _rows(self, folder: str, schema: pa.Schema, skip: int, count: int) -> list[Row]:
        return [
            row for batch in _first_rows(self._batches(folder, skip), count) for row in rendered_rows(batch, schema)
        ]

    def _batches(self, folder: str, skip: int) -> Iterator[pa.RecordBatch]:
        """The batches of a result set from row `skip` on; parts before it are not opened.

        Raises NotFound when a part is removed meanwhile or missing: a result set is never short.
        """
        for row, end, path in self._parts(folder):
            if end is not None and end <= skip:
                continue
            for batch in self._part(path):
                if row + batch.num_rows > skip:
                    yield batch.slice(max(0, skip - row))
                row += batch.num_rows
            if end is not None and row != end:
                raise path_missing(folder, f"rows {row} to {end} are missing")

    def _parts(self, folder: str) -> list[tuple[int, int | None, str]]:
        """Of each part, in order: its first row, the first row of the next one (None after the last), its path."""
        entries = self._storage.list(folder)
        firsts = [(first, entry.name) for entry in entries if (first := layout.first_row(entry.name)) is not None]
        ends = [*(first for first, _ in firsts[1:]), None]
        return [(first, end, f"{folder}/{name}") for (first, name), end in zip(firsts, ends, strict=False)]

    def _part(self, path: str) -> Iterator[pa.RecordBatch]:
        try:
            opened = self._storage.open(path)
        except FileNotFoundError:
            raise path_missing(path, "it was removed while it was read") from None
        with opened as file, pa.ipc.open_file(file) as reader:
            for index in range(reader.num_record_batches):
                yield reader.get_batch(index)


def _first_rows(batches: Iterator[pa.RecordBatch], count: int) -> Iterator[pa.RecordBatch]:
    while count > 0 and (batch := next(batches, None)) is not None:
        yield batch.slice(0, count)
        count -= batch.num_rows


def _page(schema: pa.Schema, rows: list[Row]) -> Page:
    kind = (schema.metadata or {}).get(b"kind", b"").decode()
    return Page([Column(field.name, wire_type(field)) for field in schema], rows, kind == names.TEXT_RESULT)


def rendered_rows(batch: pa.RecordBatch, schema: pa.Schema) -> list[Row]:
    """The batch's rows as texts."""
    columns = [rendered(column, field) for field, column in zip(schema, batch.columns, strict=True)]
    return [list(row) for row in zip(*columns, strict=True)]


def as_arrow(schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Iterator[bytes]:
    """An Arrow IPC stream, in pieces; small batches share one, since each piece has its price on the way."""
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            if sink.tell() >= PIECE_BYTES:
                yield _taken(sink)
    yield _taken(sink)


def as_json_lines(schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Iterator[bytes]:
    """One JSON object a line: numbers as numbers, decimals and times as texts, NULL as null."""
    for batch in batches:
        for start in range(0, batch.num_rows, ROWS_AT_ONCE):
            rows = batch.slice(start, ROWS_AT_ONCE)
            columns = [json_values(column, field) for field, column in zip(schema, rows.columns, strict=True)]
            lines = (dict(zip(schema.names, row, strict=True)) for row in zip(*columns, strict=True))
            yield "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


def _taken(sink: io.BytesIO) -> bytes:
    taken = sink.getvalue()
    sink.seek(0)
    sink.truncate()
    return taken
