"""CSV and .xlsx files, written piece by piece and read back."""

from __future__ import annotations

import csv
import io
import re
import tracemalloc
import zipfile
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree

import pytest

from services.entrance import spreadsheet
from services.entrance.spreadsheet import Sheet, csv_file, xlsx_file

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def read(content: bytes) -> dict[str, list[list[str]]]:
    """Each sheet's rows; numbers are in angle brackets."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        assert book.testzip() is None
        for name in book.namelist():
            ElementTree.fromstring(book.read(name))
        titles = [sheet.get("name", "") for sheet in ElementTree.fromstring(book.read("xl/workbook.xml"))[0]]
        return {
            title: [
                [f"<{cell[0].text}>" if cell[0].tag == f"{MAIN}v" else cell[0][0].text or "" for cell in row]
                for row in ElementTree.fromstring(book.read(f"xl/worksheets/sheet{number}.xml"))[0]
            ]
            for number, title in enumerate(titles, 1)
        }


def sheet(*rows: Sequence[str], title: str = "t", **more: frozenset[int]) -> Sheet:
    return Sheet(title, ["id", "name"], iter(rows), **more)


def test_every_text_comes_back_as_it_was() -> None:
    texts = ["", " lead", "a\nb\tc", "<&>\"'", "=1+1", "名字 🎉", "0012", "1e400"]
    rows = [[text, text] for text in texts]
    assert read(b"".join(xlsx_file([sheet(*rows)])))["t"] == [["id", "name"], *rows]


def test_what_xml_has_not_is_escaped_as_spreadsheets_do() -> None:
    shown = read(b"".join(xlsx_file([sheet(["a\x01b", "_x0041_"])])))["t"][1]
    assert shown == ["a_x0001_b", "_x005F_x0041_"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [("42", "<42>"), ("-2.50", "<-2.50>"), ("1.5E-7", "<1.5E-7>"), ("1234567890123456", "1234567890123456"),
     ("NaN", "NaN"), ("NULL", "NULL"), ("1,5", "1,5")],
)  # fmt: skip
def test_numbers_are_numbers_where_a_spreadsheet_keeps_them_exactly(text: str, shown: str) -> None:
    typed = sheet([text, text], numbers=frozenset({0}))
    assert read(b"".join(xlsx_file([typed])))["t"][1] == [shown, text]


def test_a_cell_that_is_too_long_says_so() -> None:
    long = read(b"".join(xlsx_file([sheet(["x" * 40_000, ""])])))["t"][1][0]
    assert len(long) == spreadsheet.LONGEST_CELL and long.endswith("x… (cut)")


def test_titles_are_made_valid_and_unique() -> None:
    sheets = [sheet(title=title) for title in ("a/b", "A/B", "", "x" * 40, "x" * 40)]
    titles = list(read(b"".join(xlsx_file(sheets))))
    assert titles == ["a_b", "A_B (2)", "result", "x" * 31, "x" * 27 + " (2)"]


def test_rows_beyond_a_sheet_go_on_on_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheet, "MOST_ROWS", 3)
    book = read(b"".join(xlsx_file([sheet(*([str(n), ""] for n in range(5)))])))
    assert {title: [row[0] for row in rows] for title, rows in book.items()} == {
        "t": ["id", "0", "1"], "t (2)": ["id", "2", "3"], "t (3)": ["id", "4"],
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_large_table_is_written_in_bounded_memory(kind: str) -> None:
    def rows() -> Iterator[list[str]]:
        for n in range(100_000):
            yield [str(n), "some text that is not very short"]

    pieces = xlsx_file([Sheet("t", ["id", "name"], rows())]) if kind == "xlsx" else csv_file(
        ["id", "name"], rows(), ",", quote_all=False
    )  # fmt: skip
    tracemalloc.start()
    largest = max(map(len, pieces))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert largest < 1 << 20 and peak < 4 << 20


def test_csv_is_quoted_where_it_must_be() -> None:
    rows = [["1", 'a"b'], ["2", "x;y"], ["3", "two\nlines"], ["", "plain"]]
    content = b"".join(csv_file(["id", "name"], iter(rows), ";", quote_all=False)).decode()
    assert content.startswith('id;name\n1;"a""b"\n2;"x;y"\n') and content.endswith("\n;plain\n")
    assert list(csv.reader(io.StringIO(content), delimiter=";")) == [["id", "name"], *rows]
    quoted = b"".join(csv_file(["id"], iter([["1"]]), ",", quote_all=True)).decode()
    assert re.fullmatch('"id"\n"1"\n', quoted)
