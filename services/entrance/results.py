"""Result sets under the storage root, read page by page in bounded memory."""

from __future__ import annotations

import re

import pyarrow as pa

from commons.storage import Storage
from protocol import layout, names
from services.entrance.rendering import rendered, wire_type
from services.entrance.wire.results import Column, Page, path_missing

_VIRTUAL = re.compile(r"^_(\d+)\.dolphin$")


def virtual_name(number: int) -> str:
    """The file name under which Linkis clients see result set `number`."""
    return f"_{number}.dolphin"


class Results:
    """`location` is a job's results folder, relative to the storage root."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def files(self, location: str) -> list[tuple[str, int, int]]:
        """(virtual name, bytes, modified ms) of each result set, in the order of the statements."""
        sets = sorted(int(e.name) for e in self._storage.list(location) if not e.is_file and e.name.isdigit())
        files = []
        for number in sets:
            parts = self._storage.list(f"{location}/{number}")
            size, modified = sum(part.size for part in parts), max((part.modified_ms for part in parts), default=0)
            files.append((virtual_name(number), size, modified))
        return files

    def page(self, location: str, name: str, first_row: int, max_rows: int) -> Page:
        """Rows `first_row` (from 0) and on. Raises NotFound when there is no such result set."""
        found = _VIRTUAL.match(name)
        folder = f"{location}/{found[1]}" if found else ""
        schema = self._schema(folder) if found else None
        if schema is None:
            raise path_missing(f"{location}/{name}")
        rows = self._rows(folder, schema, first_row, max_rows)
        kind = (schema.metadata or {}).get(b"kind", b"").decode()
        columns = [Column(field.name, wire_type(field)) for field in schema]
        return Page(columns, rows, kind == names.TEXT_RESULT)

    def _schema(self, folder: str) -> pa.Schema | None:
        try:
            with self._storage.open(f"{folder}/{layout.SCHEMA}") as file, pa.ipc.open_stream(file) as stream:
                return stream.schema
        except FileNotFoundError:
            return None

    def _rows(self, folder: str, schema: pa.Schema, skip: int, count: int) -> list[list[str | None]]:
        rows: list[list[str | None]] = []
        parts = [entry.name for entry in self._storage.list(folder) if entry.name.startswith("part-")]
        for part in parts:
            if len(rows) >= count:
                break
            with self._storage.open(f"{folder}/{part}") as file, pa.ipc.open_file(file) as reader:
                for index in range(reader.num_record_batches):
                    batch = reader.get_batch(index)
                    if skip >= batch.num_rows:
                        skip -= batch.num_rows
                        continue
                    rows += rendered_rows(batch.slice(skip, count - len(rows)), schema)
                    skip = 0
                    if len(rows) >= count:
                        break
        return rows


def rendered_rows(batch: pa.RecordBatch, schema: pa.Schema) -> list[list[str | None]]:
    """The batch's rows as texts."""
    columns = [rendered(column, field) for field, column in zip(schema, batch.columns, strict=True)]
    return [list(row) for row in zip(*columns, strict=True)]
