"""Result sets as they are read while files go."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pytest

from commons.process.errors import NotFound
from commons.storage import Storage
from protocol import layout
from services.entrance.results import Results

SCHEMA = pa.schema([("n", pa.int64())])


def part(*rows: int) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, SCHEMA) as writer:
        writer.write_batch(pa.record_batch([pa.array(rows)], SCHEMA))
    return sink.getvalue()


def test_a_result_set_that_loses_a_part_while_it_is_read_is_never_short(tmp_path: Path) -> None:
    storage = Storage(f"file://{tmp_path}")
    storage.write(f"r/0/{layout.SCHEMA}", SCHEMA.serialize().to_pybytes())
    for number in range(3):
        storage.write(f"r/0/{layout.part_name(number)}", part(number))
    schema, batches = Results(storage).batches("r", "_0.dolphin", 0, 10)
    assert (schema, next(batches).to_pylist()) == (SCHEMA, [{"n": 0}])
    storage.remove("r")
    with pytest.raises(NotFound, match=r"r/0/part-00001.arrow not exists: it was removed while it was read"):
        next(batches)
