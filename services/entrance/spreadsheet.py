"""Tables as an .xlsx file or as CSV, row by row as they come: nothing is kept in memory or on disk.

An .xlsx file is a zip of a few small XML files. Libraries for it write a temporary file first, since they offer styles
and formulas; plain cells need neither, and so the first bytes leave at once and nothing has to be cleaned up.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

MOST_ROWS = 1_048_576
"""Rows of a sheet, with the head; what is more goes on on another sheet."""
LARGEST_SHEET = 1 << 30
"""Bytes of a sheet's XML, well below what needs the 64-bit form of zip."""
LONGEST_CELL = 32_767
LONGEST_TITLE = 31
NUMBERS = frozenset({"tinyint", "smallint", "int", "bigint", "float", "double", "decimal"})
_PIECE = 1 << 16

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_KINDS = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_NOT_TITLE = re.compile(r"[\[\]:*?/\\\x00-\x1f]")
_EXACT = re.compile(r"-?\d{1,15}(?:\.\d{1,15})?(?:E-?\d{1,3})?")

Rows = Iterator[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table under a title; cells of the columns in `numbers` are written as numbers where that is exact."""

    title: str
    head: Sequence[str]
    rows: Rows
    numbers: frozenset[int] = frozenset()


class _Buffer(io.RawIOBase):
    """What the zip writes is taken from here piece by piece; it cannot be read or sought in."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]  # a zip writes bytes only
        self._pieces.append(bytes(data))
        self.size += len(data)
        return len(data)

    def taken(self) -> bytes:
        whole = b"".join(self._pieces)
        self._pieces, self.size = [], 0
        return whole


def csv_file(head: Sequence[str], rows: Rows, separator: str, *, quote_all: bool) -> Iterator[bytes]:
    """The table as CSV in UTF-8, with a head."""
    buffer: list[str] = []

    class Pieces:
        def write(self, text: str) -> None:
            buffer.append(text)

    quoting: Literal[0, 1] = csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL
    writer = csv.writer(Pieces(), delimiter=separator, quoting=quoting, lineterminator="\n")
    writer.writerow(head)
    for row in rows:
        writer.writerow(row)
        if len(buffer) >= 1000:
            yield "".join(buffer).encode()
            buffer.clear()
    yield "".join(buffer).encode()


def xlsx_file(sheets: Iterable[Sheet]) -> Iterator[bytes]:
    """The tables as an .xlsx file, one sheet for each; a long one goes on on further sheets."""
    buffer, titles = _Buffer(), list[str]()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as book:
        for sheet in sheets:
            row = next(sheet.rows, None)
            while True:
                titles.append(_title(sheet.title, titles))
                with book.open(f"xl/worksheets/sheet{len(titles)}.xml", "w") as file:
                    size = file.write(f'{_XML}<worksheet xmlns="{_MAIN}"><sheetData>{_row(sheet.head)}'.encode())
                    count = 1
                    while row is not None and count < MOST_ROWS and size < LARGEST_SHEET:
                        size += file.write(_row(row, sheet.numbers).encode())
                        count, row = count + 1, next(sheet.rows, None)
                        if buffer.size >= _PIECE:
                            yield buffer.taken()
                    file.write(b"</sheetData></worksheet>")
                if row is None:
                    break
        for name, content in _frame(titles):
            book.writestr(name, content)
    yield buffer.taken()


def _row(cells: Sequence[str], numbers: frozenset[int] = frozenset()) -> str:
    return f"<row>{''.join(_cell(text, index in numbers) for index, text in enumerate(cells))}</row>"


def _cell(text: str, is_number: bool) -> str:
    """A cell; a text too long for one says that it is cut. Spreadsheets keep 15 digits of a number: more stay texts."""
    if is_number and _EXACT.fullmatch(text) and sum(map(str.isdigit, text.partition("E")[0])) <= 15:
        return f"<c><v>{text}</v></c>"
    if len(text) > LONGEST_CELL:
        text = text[: LONGEST_CELL - 7] + "… (cut)"
    shown = escape(_NOT_XML.sub(_escaped, text))
    return f'<c t="inlineStr"><is><t xml:space="preserve">{shown}</t></is></c>'


def _escaped(found: re.Match[str]) -> str:
    """How a spreadsheet writes a character that XML has not, and an underscore that would be read as such."""
    return f"_x{ord(found[0]):04X}_"


def _title(wanted: str, taken: Sequence[str]) -> str:
    """A title that a sheet may have and none has yet; they are told apart by lower case."""
    plain = _NOT_TITLE.sub("_", wanted).strip("'")[:LONGEST_TITLE] or "result"
    lower, title, number = {each.lower() for each in taken}, plain, 1
    while title.lower() in lower:
        number += 1
        end = f" ({number})"
        title = plain[: LONGEST_TITLE - len(end)] + end
    return title


def _frame(titles: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The small files around the sheets."""
    numbers = range(1, len(titles) + 1)
    parts = [("xl/workbook.xml", "sheet.main"), *((f"xl/worksheets/sheet{n}.xml", "worksheet") for n in numbers)]
    overrides = "".join(f'<Override PartName="/{part}" ContentType="{_KINDS}.{kind}+xml"/>' for part, kind in parts)
    rels = "application/vnd.openxmlformats-package.relationships+xml"
    default = f'<Default Extension="rels" ContentType="{rels}"/>'
    yield "[Content_Types].xml", f'{_XML}<Types xmlns="{_PACKAGE}/content-types">{default}{overrides}</Types>'
    yield "_rels/.rels", _links([("officeDocument", "xl/workbook.xml")])
    yield "xl/_rels/workbook.xml.rels", _links([("worksheet", f"worksheets/sheet{n}.xml") for n in numbers])
    sheets = "".join(
        f'<sheet name={quoteattr(_NOT_XML.sub("_", title))} sheetId="{n}" r:id="r{n}"/>'
        for n, title in zip(numbers, titles, strict=True)
    )
    yield "xl/workbook.xml", f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_LINKS}"><sheets>{sheets}</sheets></workbook>'


def _links(targets: Sequence[tuple[str, str]]) -> str:
    links = "".join(
        f'<Relationship Id="r{number}" Type="{_LINKS}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets, 1)
    )
    return f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{links}</Relationships>'
