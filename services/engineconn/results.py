"""A task's result sets as Arrow files: results/<n>/schema.arrow, then its parts.

A part is an Arrow IPC file of about 8 MiB or two seconds, whichever comes first. It appears under its name, which says
its first row, only when it is whole.
"""

from __future__ import annotations

import time
from pathlib import Path

import pyarrow as pa

from protocol import layout

PART_BYTES = 8 * 1024 * 1024
PART_SECONDS = 2.0


class ResultWriter:
    """Writes one result set at a time into `folder`; `count` tells how many were opened, by an earlier process too."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.count = sum(1 for _ in folder.glob("*"))
        self._set: Path | None = None
        self._schema: pa.Schema | None = None
        self._rows = self._first_row = 0
        self._writer: pa.RecordBatchFileWriter | None = None
        self._bytes = 0
        self._opened_at = 0.0

    def open(self, schema: pa.Schema) -> int:
        """Begin the next result set and return its number, from 0. The one before is closed."""
        self.close()
        number, self._schema, self._rows = self.count, schema, 0
        self._set = self._folder / str(number)
        self._set.mkdir(parents=True)
        temporary = self._set / ".schema"
        with pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_stream(sink, schema):
            pass
        temporary.rename(self._set / layout.SCHEMA)
        self.count += 1
        return number

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows to the open result set."""
        if self._set is None or self._schema is None:
            raise ValueError("rows came before their result set was opened")
        if not batch.num_rows:
            return
        if self._writer is None:
            self._writer = pa.ipc.new_file(str(self._set / ".part"), self._schema)
            self._bytes, self._first_row, self._opened_at = 0, self._rows, time.monotonic()
        self._writer.write_batch(batch)
        self._rows += batch.num_rows
        self._bytes += batch.nbytes
        if self._bytes >= PART_BYTES:
            self._close_part()

    def close_if_due(self) -> None:
        """Close the open part when its time has come, so that slow rows can be read too."""
        if self._writer is not None and time.monotonic() - self._opened_at >= PART_SECONDS:
            self._close_part()

    def close(self) -> None:
        """Close the open part, if any; the result set is whole then."""
        if self._writer is not None:
            self._close_part()

    def _close_part(self) -> None:
        assert self._writer is not None and self._set is not None
        self._writer.close()
        self._writer = None
        (self._set / ".part").rename(self._set / layout.part_name(self._first_row))
