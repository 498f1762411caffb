"""A form with one file, read as it comes: the file goes on piece by piece, only short fields are kept."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from commons.process.errors import Invalid, TooLarge
from protocol import codes
from services.entrance.api.bodies import WrongType, bounded
from services.entrance.workspace import checked_file_name

MOST_PARTS = 30
LONGEST_FIELD = 4096
"""Bytes of a field, and of the headers of a part."""
LARGEST_BESIDE = 2**20
"""Bytes of a body beside its file."""

Write = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Form:
    """What was read. `file_name` is a name without folders."""

    file_name: str
    fields: Mapping[str, str]


@dataclass
class _Part:
    name: str = ""
    file_name: str | None = None
    content: bytearray = field(default_factory=bytearray)


async def read_form(request: Request, largest: int, write: Write) -> Form:
    """The form; its part `file` goes to `write`, at most about `largest` bytes.

    Raises WrongType, TooLarge, TooSlow, and Invalid when it is no form, is cut short, or has not just one file.
    """
    reading = _Reading(_boundary(request))
    async for chunk in bounded(request, largest + LARGEST_BESIDE, "file"):
        for content in reading.take(chunk):
            await write(content)
    return reading.form()


def _boundary(request: Request) -> bytes:
    kind = request.headers.get("content-type", "")
    name, options = parse_options_header(kind)
    if name.lower() != b"multipart/form-data":
        what = f"Content-Type must be multipart/form-data, not {kind[:60] or 'missing'}"
        raise WrongType(codes.REQUEST_INVALID, what, field="Content-Type")
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise _unreadable("it has no boundary")
    return boundary


class _Reading:
    """The parser's callbacks, and what they have found."""

    def __init__(self, boundary: bytes) -> None:
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._part_begin,
                    "on_header_field": self._header_field,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_end,
                    "on_headers_finished": self._headers_finished,
                    "on_part_data": self._part_data,
                    "on_part_end": self._part_end,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise _unreadable(str(error)) from None
        self._part = _Part()
        self._header, self._value = "", ""
        self._disposition = ""
        self._fields: dict[str, str] = {}
        self._files: list[str] = []
        self._parts = 0
        self._found: list[bytes] = []
        self._ended = False

    def take(self, chunk: bytes) -> list[bytes]:
        """What the chunk holds of the file."""
        self._found = []
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise _unreadable(str(error)) from None
        return self._found

    def form(self) -> Form:
        if not self._ended:
            raise _unreadable("it ends before its last boundary; the upload was cut short, send it again")
        if len(self._files) != 1:
            what = "file is missing; send one" if not self._files else "there is more than one file; send one"
            raise Invalid(codes.FIELD_INVALID, what, field="file")
        return Form(checked_file_name(self._files[0]), self._fields)

    def _part_begin(self) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise _unreadable(f"it has more than {MOST_PARTS} parts")
        self._part, self._disposition = _Part(), ""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header = _short(self._header, data[start:end])

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value = _short(self._value, data[start:end])

    def _header_end(self) -> None:
        if self._header.lower() == "content-disposition":
            self._disposition = self._value
        self._header, self._value = "", ""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        if b"name" not in options:
            raise _unreadable("a part of it has no name")
        self._part.name = _text(options[b"name"])
        if b"filename" in options and self._part.name == "file":
            self._part.file_name = _text(options[b"filename"])
            self._files.append(self._part.file_name)

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._part.file_name is not None:
            if len(self._files) == 1:
                self._found.append(data[start:end])
            return
        self._part.content += data[start:end]
        if len(self._part.content) > LONGEST_FIELD:
            name = self._part.name[:60] or "body"
            raise TooLarge(codes.REQUEST_INVALID, f"{name} is over {LONGEST_FIELD} bytes; shorten it", field=name)

    def _part_end(self) -> None:
        if self._part.file_name is None:
            value = _text(bytes(self._part.content))
            if "\0" in value:
                what = f"{self._part.name[:60]} holds a NUL character; remove it"
                raise Invalid(codes.REQUEST_INVALID, what, field=re.sub(r"\0", "", self._part.name[:60]))
            self._fields[self._part.name] = value

    def _end(self) -> None:
        self._ended = True


def _short(before: str, more: bytes) -> str:
    if len(before) + len(more) > LONGEST_FIELD:
        raise _unreadable(f"a part of it has a header of over {LONGEST_FIELD} bytes")
    return before + more.decode("latin-1")


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _unreadable(why: str) -> Invalid:
    return Invalid(codes.REQUEST_INVALID, f"the form cannot be read: {why}", field="body")
