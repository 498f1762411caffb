"""A growing file of lines, read by windows."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from commons import lines as lines_
from commons.lines import Lines


class Counting(io.BytesIO):
    """A file that counts what is read of it."""

    bytes_read = 0

    def read(self, size: int | None = -1) -> bytes:
        found = super().read(size)
        Counting.bytes_read += len(found)
        return found


def text(count: int) -> list[str]:
    return [f"line {number} {'ü' * (number % 90)}" for number in range(count)]


@pytest.mark.parametrize("chunk_bytes", [7, 100, 1 << 16])
def test_every_window_has_its_lines(monkeypatch: pytest.MonkeyPatch, chunk_bytes: int) -> None:
    monkeypatch.setattr(lines_, "CHUNK_BYTES", chunk_bytes)
    wanted = text(300)
    file = Lines(lambda: io.BytesIO(("\n".join(wanted) + "\n").encode()))
    for first in (250, 0, 299, 300, 5000, 17, 128):
        for count in (0, 1, 13, 1000):
            assert file.read(first, count) == wanted[first : first + count]


def test_a_long_file_is_read_through_once_not_once_for_each_window() -> None:
    wanted = text(20_000)
    content = ("\n".join(wanted) + "\n").encode()
    file, found = Lines(lambda: Counting(content)), list[str]()
    Counting.bytes_read = 0
    while window := file.read(len(found), 1000):
        found += window
    assert found == wanted
    assert Counting.bytes_read < 4 * len(content)


def test_a_line_is_read_once_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    file = Lines(lambda: path.open("rb"))
    with pytest.raises(FileNotFoundError):
        file.read(0, 10)
    path.write_bytes(b"one\ntwo\nthr")
    assert file.read(0, 10) == ["one", "two"] and file.read(2, 10) == []
    path.write_bytes(b"one\ntwo\nthree\n\xff\n")
    assert file.read(2, 10) == ["three", "\ufffd"]


def test_a_window_of_long_lines_holds_some_mib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_, "LARGEST_READ", 1 << 18)
    line = "x" * 10_000
    file = Lines(lambda: io.BytesIO(f"{line}\n".encode() * 100))
    found = file.read(0, 10_000)
    assert 20 < len(found) < 40 and set(found) == {line}
    assert len(file.read(90, 10_000)) == 10
