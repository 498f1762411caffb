"""Files that a task leaves -> tables: csv, JSON, Arrow. Each is read twice, so that it is one as a whole or none.

The first reading finds the columns' types and what is wrong; the second gives the rows, in batches of bounded size.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable, Iterator
from typing import BinaryIO

import pyarrow as pa
from pyarrow import csv

from services.engineconn.shell import json_rows
from services.engineconn.shell.json_rows import BATCH_BYTES, Unreadable

LONGEST_CSV_ROW = 4 * 1024 * 1024
LARGEST_ARROW_BATCH = 64 * 1024 * 1024

Table = tuple[pa.Schema, Iterator[pa.RecordBatch]]
Pause = Callable[[], None]
"""Called between batches; it may raise, to end the reading."""

_CSV_COLUMN = re.compile(r"^In CSV column #(\d+): .*CSV conversion error")
_MAGIC = b"ARROW1"
_WIDER = {pa.null(): pa.int64(), pa.int64(): pa.float64()}


def read(file: BinaryIO, suffix: str, pause: Pause) -> Table:
    """The table in a file, by the suffix of its name (one of READERS). Blocking.

    Raises Unreadable with the reason, also from the iterator when the file has changed in between.
    """
    schema, batches = READERS[suffix](file, pause)
    names = schema.names
    twice = [name for name in names if names.count(name) > 1]
    if twice or not names:
        raise Unreadable(f"two of its columns are called {twice[0]!r}" if twice else "it has no columns")
    return schema, _slices(batches)


def _csv(file: BinaryIO, pause: Pause) -> Table:
    types: dict[str, pa.DataType] = {}
    while (schema := _csv_types(file, types, pause)) is None:
        pass
    return schema, _csv_batches(file, schema)


def _csv_types(file: BinaryIO, types: dict[str, pa.DataType], pause: Pause) -> pa.Schema | None:
    """The columns; None when a value did not fit its column, whose type in `types` then is a wider one."""
    schema: pa.Schema | None = None
    try:
        reader = _open_csv(file, types)
        schema = reader.schema
        for _ in reader:
            pause()
    except pa.ArrowInvalid as error:
        found = _CSV_COLUMN.match(str(error))
        if found is None or schema is None:
            raise Unreadable(_csv_reason(error)) from None
        column = schema.field(int(found[1]))
        types[column.name] = _WIDER.get(column.type, pa.string())
        return None
    binary = [column.name for column in schema if pa.types.is_binary(column.type)]
    if binary:
        raise Unreadable(f"column {binary[0]!r} is not UTF-8")
    return pa.schema([(c.name, pa.string() if pa.types.is_null(c.type) else c.type) for c in schema])


def _csv_batches(file: BinaryIO, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    try:
        for batch in _open_csv(file, {column.name: column.type for column in schema}):
            yield pa.record_batch(batch.columns, schema=schema)
    except pa.ArrowInvalid as error:
        raise Unreadable(_csv_reason(error)) from None


def _open_csv(file: BinaryIO, types: dict[str, pa.DataType]) -> csv.CSVStreamingReader:
    file.seek(0)
    return csv.open_csv(
        file,
        read_options=csv.ReadOptions(block_size=LONGEST_CSV_ROW, use_threads=False),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=types, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
        ),
    )


def _csv_reason(error: Exception) -> str:
    if "straddling" in str(error):
        return f"a row is longer than {LONGEST_CSV_ROW} bytes"
    return str(error).removeprefix("CSV parse error: ")


class _Bounded(io.RawIOBase):
    """A file of which nobody reads more at a time than a batch may have."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= LARGEST_ARROW_BATCH:
            limit = f"a record batch has over {LARGEST_ARROW_BATCH} bytes; write smaller ones"
            raise Unreadable(f"it is no Arrow file that can be read, or {limit}")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _arrow(file: BinaryIO, pause: Pause) -> Table:
    with _told():
        schema = _plain(_open_arrow(file).schema)
        for batch in _arrow_batches(file):
            batch.validate(full=True)
            batch.cast(schema)
            pause()
    return schema, _plain_batches(file, schema)


def _plain_batches(file: BinaryIO, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    with _told():
        for batch in _arrow_batches(file):
            yield batch.cast(schema)


def _arrow_batches(file: BinaryIO) -> Iterator[pa.RecordBatch]:
    reader = _open_arrow(file)
    if isinstance(reader, pa.ipc.RecordBatchFileReader):
        for number in range(reader.num_record_batches):
            yield reader.get_batch(number)
    else:
        yield from reader


def _open_arrow(file: BinaryIO) -> pa.ipc.RecordBatchFileReader | pa.ipc.RecordBatchStreamReader:
    file.seek(0)
    is_file = file.read(len(_MAGIC)) == _MAGIC
    file.seek(0)
    return (pa.ipc.open_file if is_file else pa.ipc.open_stream)(_Bounded(file))


def _plain(schema: pa.Schema) -> pa.Schema:
    """The columns as result sets have them: without dictionaries, which parts of a set cannot share, and remarks."""
    return pa.schema([pa.field(column.name, _plain_type(column.type)) for column in schema])


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return kind.value_type
    if kind == pa.time64("ns"):  # finer than a time that can be shown
        return pa.time64("us")
    return pa.string() if pa.types.is_null(kind) else kind


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """What Arrow complains about, as Unreadable."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Unreadable(f"it is no Arrow file that can be read: {error}") from None


def _slices(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        rows = max(1, batch.num_rows * BATCH_BYTES // max(batch.nbytes, 1))
        for start in range(0, batch.num_rows, rows):
            yield batch.slice(start, rows)


READERS: dict[str, Callable[[BinaryIO, Pause], Table]] = {
    ".csv": _csv,
    ".json": json_rows.table,
    ".jsonl": json_rows.table,
    ".ndjson": json_rows.table,
    ".arrow": _arrow,
    ".arrows": _arrow,
    ".feather": _arrow,
}
