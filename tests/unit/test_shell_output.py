"""Lines of a process: whole ones whatever the pieces they come in, long ones in pieces of bounded size."""

from __future__ import annotations

import pytest

from services.engineconn.shell.output import LONGEST_LINE, Piece, Splitter


def split(raw: bytes, size: int) -> list[Piece]:
    splitter = Splitter("INFO")
    found = [piece for at in range(0, len(raw), size) for piece in splitter.feed(raw[at : at + size])]
    return found + splitter.feed(b"", end=True)


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize(
    ("raw", "lines"),
    [
        (b"", []),
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\r\n\r\ntwo", ["one", "", "two"]),
        ("zwölf Äpfel €\n".encode(), ["zwölf Äpfel €"]),
        (b"no \xff text\n\xc3", ["no \ufffd text", "\ufffd"]),
    ],
)
def test_lines_are_whole_however_they_come(raw: bytes, lines: list[str], size: int) -> None:
    assert split(raw, size) == [Piece("INFO", line, True) for line in lines]


def test_a_long_line_comes_in_pieces_of_which_the_first_is_known() -> None:
    size = 64 * 1024
    found = split(b"x" * (3 * LONGEST_LINE + 5) + b"\nend\n", size)
    assert [piece.begins for piece in found] == [True, False, False, False, True]
    assert "".join(piece.text for piece in found[:-1]) == "x" * (3 * LONGEST_LINE + 5) and found[-1].text == "end"
    assert max(len(piece.text) for piece in found) <= LONGEST_LINE + size
