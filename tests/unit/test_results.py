"""Result sets as they are read while files go."""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pytest

from commons.process.errors import NotFound
from commons.storage import Storage
from protocol import layout
from services.entrance.results import PIECE_BYTES, Results, as_arrow

SCHEMA = pa.schema([("n", pa.int64())])


def part(*rows: int) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, SCHEMA) as writer:
        writer.write_batch(pa.record_batch([pa.array(rows)], SCHEMA))
    return sink.getvalue()


class Watched(Storage):
    """A storage root that remembers which parts were opened."""

    def __init__(self, folder: Path, *parts: tuple[int, ...]) -> None:
        super().__init__(f"file://{folder}")
        self.opened: list[int] = []
        self.write(f"r/0/{layout.SCHEMA}", SCHEMA.serialize().to_pybytes())
        for rows in parts:
            self.write(f"r/0/{layout.part_name(rows[0])}", part(*rows))

    def open(self, path: str) -> BinaryIO:
        if (first := layout.first_row(path.rpartition("/")[2])) is not None:
            self.opened.append(first)
        return super().open(path)


def test_a_result_set_that_loses_a_part_while_it_is_read_is_never_short(tmp_path: Path) -> None:
    storage = Watched(tmp_path, (0,), (1,), (2,))
    schema, batches = Results(storage).batches("r", "_0.dolphin", 0, 10)
    assert (schema, next(batches).to_pylist()) == (SCHEMA, [{"n": 0}])
    storage.remove("r")
    with pytest.raises(NotFound, match=r"r/0/part-000000000001.arrow not exists: it was removed while it was read"):
        next(batches)


def test_a_result_set_without_one_of_its_parts_is_never_short(tmp_path: Path) -> None:
    storage = Watched(tmp_path, (0, 1), (2, 3), (4, 5))
    storage.delete(f"r/0/{layout.part_name(2)}")
    with pytest.raises(NotFound, match="rows 2 to 4 are missing"):
        Results(storage).page("r", "_0.dolphin", 1, 5)
    assert Results(storage).page("r", "_0.dolphin", 4, 5).rows == [["4"], ["5"]]


@pytest.mark.parametrize(
    ("first", "count", "opened"), [(0, 2, [0]), (2, 2, [2]), (3, 3, [2, 4]), (5, 9, [4]), (7, 1, [4])]
)
def test_a_page_opens_only_the_parts_that_hold_its_rows(
    tmp_path: Path, first: int, count: int, opened: list[int]
) -> None:
    storage = Watched(tmp_path, (0, 1), (2, 3), (4, 5))
    page = Results(storage).page("r", "_0.dolphin", first, count)
    assert page.rows == [[str(n)] for n in range(6)][first : first + count] and storage.opened == opened


def test_how_many_rows_there_are_is_read_from_the_last_part(tmp_path: Path) -> None:
    storage = Watched(tmp_path, (0, 1), (2, 3), (4, 5, 6))
    assert Results(storage).size("r", "_0.dolphin") == (1, 7) and storage.opened == [4]
    storage.delete(f"r/0/{layout.part_name(4)}")
    assert Results(storage).size("r", "_0.dolphin") == (1, 4)
    assert Results(Watched(tmp_path / "empty")).size("r", "_0.dolphin") == (1, 0)


def test_small_batches_share_a_piece_of_an_arrow_stream() -> None:
    batches = [pa.record_batch([pa.array([n] * 100)], SCHEMA) for n in range(1000)]
    pieces = list(as_arrow(SCHEMA, iter(batches)))
    assert pa.ipc.open_stream(b"".join(pieces)).read_all().equals(pa.Table.from_batches(batches))
    assert len(pieces) < 10 and max(map(len, pieces)) < 2 * PIECE_BYTES
