"""JSON files as tables: objects one after the other (such as JSON lines), or in one array. In bounded memory."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO

import pyarrow as pa

LONGEST_ROW = 4 * 1024 * 1024
"""Characters."""
MOST_COLUMNS = 10_000
BATCH_BYTES = 1024 * 1024
BATCH_ROWS = 1000
_READ = 64 * 1024
_SPACE = re.compile(r"[ \t\r\n]*")
_INT64 = range(-(2**63), 2**63)
_TYPES = {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64(), "text": pa.string()}


class Unreadable(Exception):
    """A file is no table; the text says why, with the line if there is one."""


def table(file: BinaryIO, pause: Callable[[], None]) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Columns in the order in which they first come; what lies within a value is JSON text. Raises Unreadable."""
    kinds: dict[str, str] = {}
    for number, (row, _) in enumerate(rows(file)):
        for name, value in row.items():
            kinds[name] = _wider(kinds.get(name, ""), _kind(value))
        if len(kinds) > MOST_COLUMNS:
            raise Unreadable(f"it has over {MOST_COLUMNS} columns")
        if number % BATCH_ROWS == 0:
            pause()
    if not kinds:
        raise Unreadable("it has no rows, which would tell its columns")
    return pa.schema([(_encodable(name), _TYPES[kind or "text"]) for name, kind in kinds.items()]), _batches(
        file, kinds
    )


def rows(file: BinaryIO) -> Iterator[tuple[dict[str, object], int]]:
    """Each object, in order, and of how many characters it was made. Raises Unreadable."""
    text = _Text(file)
    if text.next() != "[":
        while text.next():
            yield text.row()
        return
    text.skip()
    if text.next() != "]":
        yield text.row()
        while text.next() == ",":
            text.skip()
            yield text.row()
    if text.next() != "]":
        raise Unreadable(f"line {text.line}: there should be , or ] here")
    text.skip()
    if text.next():
        raise Unreadable(f"line {text.line}: there is more behind the array")


class _Text:
    """A file's text from where it was read to; `line` is counted from 1."""

    def __init__(self, file: BinaryIO) -> None:
        file.seek(0)
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._decode = json.JSONDecoder()
        self._text, self._at = "", 0
        self.line = 1

    def next(self) -> str:
        """The next character that is no blank, which is not passed; nothing at the end."""
        while True:
            found = _SPACE.match(self._text, self._at)
            assert found is not None
            self._pass(found.end())
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def skip(self) -> None:
        self._pass(self._at + 1)

    def row(self) -> tuple[dict[str, object], int]:
        """The object that begins here, which is passed, and its length."""
        if self.next() != "{":
            raise Unreadable(f"line {self.line}: a row must be an object, {{…}}")
        while True:
            try:
                value, end = self._decode.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                line = self.line + self._text.count("\n", self._at, error.pos)
                if not self._more():
                    limit = f" (a row has {LONGEST_ROW} characters at most)" if self._is_long() else ""
                    raise Unreadable(f"line {line}: {error.msg}{limit}") from None
            except (ValueError, RecursionError):
                raise Unreadable(f"line {self.line}: a number is too long, or something lies too deep") from None
            else:
                length = end - self._at
                self._pass(end)
                return value, length

    def _pass(self, end: int) -> None:
        self.line += self._text.count("\n", self._at, end)
        self._at = end

    def _more(self) -> bool:
        """Read on, more the more there is; False at the end of the file, or when that is as much as a row may have."""
        if self._is_long():
            return False
        left = self._text[self._at :]
        raw = self._file.read(max(_READ, min(len(left), LONGEST_ROW - len(left))))
        try:
            self._text, self._at = left + self._decoder.decode(raw, not raw), 0
        except UnicodeDecodeError:
            raise Unreadable(f"behind line {self.line}: it is not UTF-8") from None
        return bool(raw)

    def _is_long(self) -> bool:
        return len(self._text) - self._at > LONGEST_ROW


def _kind(value: object) -> str:
    """The kind of column that holds the value; nothing for null."""
    match value:
        case None:
            return ""
        case bool():
            return "bool"
        case int():
            return "int" if value in _INT64 else "text"
        case float():
            return "float"
        case _:
            return "text"


def _wider(one: str, other: str) -> str:
    if one == other or not other:
        return one
    if not one:
        return other
    return "float" if {one, other} == {"int", "float"} else "text"


def _batches(file: BinaryIO, kinds: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
    held: list[dict[str, object]] = []
    size = 0
    for row, length in rows(file):
        held.append(row)
        size += length
        if len(held) == BATCH_ROWS or size >= BATCH_BYTES:
            yield _batch(held, kinds)
            held, size = [], 0
    if held:
        yield _batch(held, kinds)


def _batch(held: list[dict[str, object]], kinds: Mapping[str, str]) -> pa.RecordBatch:
    try:
        columns = [_column([row.get(name) for row in held], kind or "text") for name, kind in kinds.items()]
    except (TypeError, ValueError, OverflowError, pa.ArrowException):
        raise Unreadable("it was changed while it was read") from None
    return pa.record_batch(columns, names=[_encodable(name) for name in kinds])


def _column(values: list[object], kind: str) -> pa.Array:
    if kind == "float":
        return pa.array([None if value is None else float(value) for value in values], pa.float64())  # type: ignore[arg-type]
    if kind == "text":
        return pa.array([None if value is None else _as_text(value) for value in values], pa.string())
    return pa.array(values, _TYPES[kind])


def _as_text(value: object) -> str:
    return _encodable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _encodable(text: str) -> str:
    """Without halves of surrogate pairs, which JSON can name and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode()
