"""What SeaTunnel's HOCON has that HOCON has not, written out as plain HOCON. Pure.

In SeaTunnel a dot in a key is a character of the key (`job.mode`), `->` leads into an object, and `source`, `transform`
and `sink` are lists of plug-ins written as objects, in which a name may come twice. Here such keys are quoted, and each
plug-in gets a key of its own; `plugin()` reads it. Lines stay where they are, and `place()` finds columns again.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from dataclasses import dataclass, field

SECTIONS = ("source", "transform", "sink")
_MARK = "\x01"
_SPACE = " \t\r\f\v\xa0\ufeff"
_STRING = re.compile(r'"""(?s:.*?)"""+|"(?:[^"\\\n]|\\.)*"')
_REFERENCE = re.compile(r"\$\{(\??)([^}\n]*)\}")
_PATH_PART = re.compile(r'"(?:[^"\\\n]|\\.)*"|[^"]+')


class SyntaxFault(Exception):
    """What cannot be read, and where; line and column begin at 1."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.message, self.line, self.column = message, line, column


@dataclass(slots=True)
class Plain:
    """Plain HOCON, and what was where in the text it was made of."""

    text: str
    original: str
    _anchors: list[tuple[int, int]] = field(default_factory=list)

    def place(self, line: int, column: int) -> tuple[int, int]:
        """Line and column in the original of a place in the text."""
        at = _offset(self.text, line, column)
        index = bisect_right(self._anchors, (at, len(self.original))) - 1
        if index < 0:
            return line, column
        new, old = self._anchors[index]
        last = self._anchors[index + 1][1] if index + 1 < len(self._anchors) else len(self.original)
        return _line_and_column(self.original, min(old + at - new, last))


def plain(text: str) -> Plain:
    """The text as plain HOCON. Raises SyntaxFault where HOCON's own parser would take what SeaTunnel's does not."""
    return _Writer(text).write()


def plugin(key: str) -> tuple[int, str] | None:
    """Of a plug-in's own key: which writing of its section it belongs to, and the plug-in's name."""
    if not key.startswith(_MARK):
        return None
    _, section, _, name = key.split(_MARK, 3)
    return int(section), name


class _Writer:
    """Goes through the text once. What it cannot read it leaves to the parser, which says what is wrong."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._copied = 0
        self._out: list[str] = []
        self._length = 0
        self._anchors: list[tuple[int, int]] = []
        self._sections = 0
        self._closed = False  # whether the object read last has an end

    def write(self) -> Plain:
        self._gap()
        if self._peek() == "{":
            self._at += 1
            self._members(None)
        else:
            self._members(None)
            if self._closed:
                self._fail(f"this {self._text[self._at - 1]} closes nothing", self._at - 1)
        self._copy(len(self._text))
        return Plain("".join(self._out), self._text, self._anchors)

    def _members(self, section: int | None) -> None:
        """The fields of an object, up to and with its end; `section` numbers one whose fields are plug-ins."""
        number = 0
        while True:
            self._gap(separators=",")
            self._closed = self._peek() in ("}", "]")
            if self._closed or not self._peek():
                self._at += self._closed
                return
            begun = self._at
            name = self._key(None if section is None else (section, number))
            number += 1
            self._value(name if self._peek() in "{" else self._separator(name))
            if self._at == begun:  # nothing that could be a field
                self._at += 1

    def _separator(self, name: str) -> str:
        while self._peek() and self._peek() in ":=+":
            self._at += 1
        self._gap()
        return name

    def _key(self, numbered: tuple[int, int] | None) -> str:
        """Read a key and write it as plain HOCON; its last element."""
        begun = end = self._at
        while (char := self._peek()) and char not in "{}[],:=+#\n":
            if string := _STRING.match(self._text, self._at):
                self._at = string.end()
            else:
                self._at += 1
            if char not in _SPACE:
                end = self._at
        raw = self._text[begun:end]
        if raw.startswith("include") and raw[7:].strip()[:1] in ('"', "f", "u", "c", "r", "p") and '"' in raw:
            self._fail("include is not available here: write the included text into the job itself", begun)
        path = elements(raw)
        if numbered is not None:
            section, number = numbered
            self._replace(begun, end, _written([_MARK.join(("", str(section), str(number), path[0])), *path[1:]]))
        elif len(path) > 1 or ("." in raw and not raw.startswith('"')) or '".' in raw:
            self._replace(begun, end, _written(path))
        return path[-1]

    def _value(self, name: str) -> None:
        """One value, which may be several in a row, up to what ends it."""
        while char := self._peek():
            if char in "\n,}]" or self._comment():
                return
            if char == "{":
                self._at += 1
                self._sections += name in SECTIONS
                self._members(self._sections if name in SECTIONS else None)
            elif char == "[":
                self._at += 1
                self._array()
            elif string := _STRING.match(self._text, self._at):
                self._at = string.end()
            elif reference := _REFERENCE.match(self._text, self._at):
                self._reference(reference)
            elif char in ":=":
                self._fail(
                    f"a comma or a new line is missing before this, or the text around {char!r} must be quoted",
                    self._at,
                )
            else:
                self._at += 1

    def _array(self) -> None:
        while True:
            self._gap(separators=",")
            if not self._peek():
                return
            if self._peek() in "]}":
                self._at += 1
                return
            begun = self._at
            self._value("")
            if self._at == begun:
                self._at += 1

    def _reference(self, found: re.Match[str]) -> None:
        path = elements(found[2].strip())
        if len(path) > 1 or "." in found[2]:
            self._replace(found.start(), found.end(), f"${{{found[1]}{_written(path)}}}")
        self._at = found.end()

    def _gap(self, separators: str = "") -> None:
        """Go over white space, new lines and comments."""
        while char := self._peek():
            if char in _SPACE or char == "\n" or char in (separators or "\n"):
                self._at += 1
            elif self._comment():
                self._at = self._line_end()
            else:
                return

    def _comment(self) -> bool:
        return self._peek() == "#" or self._text.startswith("//", self._at)

    def _line_end(self) -> int:
        end = self._text.find("\n", self._at)
        return len(self._text) if end < 0 else end

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _copy(self, until: int) -> None:
        self._put(self._text[self._copied : until], self._copied)
        self._copied = until

    def _replace(self, begun: int, end: int, new: str) -> None:
        self._copy(begun)
        self._put(new, begun)
        self._copied = end

    def _put(self, new: str, old: int) -> None:
        self._anchors.append((self._length, old))
        self._out.append(new)
        self._length += len(new)

    def _fail(self, message: str, at: int) -> None:
        raise SyntaxFault(message, *_line_and_column(self._text, at))


def elements(path: str) -> list[str]:
    """A key's elements as SeaTunnel reads them: only `->` outside of quotes parts them."""
    if '"' not in path:
        return path.split("->") if " " not in path else [path]
    found = [""]
    for part in _PATH_PART.findall(path):
        if part.startswith('"'):
            found[-1] += _unquoted(part)
        else:
            first, *more = part.split("->")
            found[-1] += first
            found += more
    return found


def _unquoted(part: str) -> str:
    try:
        return str(json.loads(part))
    except ValueError:
        return part[1:-1]


def _written(path: list[str]) -> str:
    return ".".join(json.dumps(element) for element in path)


def _offset(text: str, line: int, column: int) -> int:
    begin = 0
    for _ in range(line - 1):
        begin = text.find("\n", begin) + 1
    return begin + column - 1


def _line_and_column(text: str, at: int) -> tuple[int, int]:
    return text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1
