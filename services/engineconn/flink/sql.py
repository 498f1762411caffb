"""A script cut into statements, with their places. What a statement means is left to Flink's parser. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

_TOKEN = re.compile(
    r"(?P<comment>(?:--|//)[^\n\r]*|/\*(?!\+).*?(?:\*/|\Z)|\ufeff)"
    r"|(?P<quoted>'[^']*+(?:''[^']*+)*+(?:'|\Z)|`[^`]*+(?:``[^`]*+)*+(?:`|\Z)|\"[^\"]*+(?:\"\"[^\"]*+)*+(?:\"|\Z))"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<end>;)"
    r"|(?P<other>\S)",
    re.S,
)
_SET_BEGINS = (["BEGIN", "STATEMENT", "SET"], ["STATEMENT", "SET", "BEGIN"])
_NOT_LINE_END = re.compile(r"[^\n]")
_LINE_COLUMN = re.compile(r"\bline (\d+), column (\d+)")


@dataclass(frozen=True, slots=True)
class Statement:
    """`number` counts from 1; `line` and `column` (from 1) say where in the script `text` begins."""

    number: int
    text: str
    line: int
    column: int

    def for_flink(self) -> str:
        """The text that Flink's parser takes: `BEGIN STATEMENT SET;` is the SQL client's word for EXECUTE ….

        What is replaced goes to a line of its own, so that columns stay.
        """
        begin = self._begin()
        if not begin:
            return self.text
        return "EXECUTE STATEMENT SET BEGIN\n" + _NOT_LINE_END.sub(" ", self.text[:begin]) + self.text[begin:]

    def _begin(self) -> int:
        """Where the statements of `BEGIN STATEMENT SET;` begin; 0 when it is none."""
        tokens = (token for token in _TOKEN.finditer(self.text) if not token["comment"])
        first = list(islice(tokens, 4))
        is_set = [token[0].upper() for token in first] == ["BEGIN", "STATEMENT", "SET", ";"]
        return first[-1].end() if is_set else 0

    def place(self, line: int, column: int) -> tuple[int, int]:
        """A place in the text that Flink's parser took as a place in the script."""
        line -= 1 if self._begin() else 0
        return self.line + max(line, 1) - 1, column + self.column - 1 if line <= 1 else column

    def placed(self, message: str) -> tuple[str, int, int]:
        """Flink's message with its places turned into the script's, and the first of them (else the beginning)."""
        first = _LINE_COLUMN.search(message)
        line, column = self.place(int(first[1]), int(first[2])) if first else (self.line, self.column)

        def turn(found: re.Match[str]) -> str:
            place = self.place(int(found[1]), int(found[2]))
            return f"line {place[0]}, column {place[1]}"

        return _LINE_COLUMN.sub(turn, message), line, column


def split(script: str) -> list[Statement]:
    """The statements, without their semicolons; empty ones are dropped. Statement sets stay whole."""
    statements: list[Statement] = []
    line, line_start, seen = 1, 0, 0
    for start, end in _spans(script):
        line += script.count("\n", seen, start)
        line_start = script.rfind("\n", seen, start) + 1 or line_start
        column, seen = start - line_start + 1, start
        statements.append(Statement(len(statements) + 1, script[start:end], line, column))
    return statements


def _spans(script: str) -> Iterator[tuple[int, int]]:
    start, end = -1, -1
    words: list[str] = []
    for token in _TOKEN.finditer(script):
        if token["comment"]:
            continue
        if token["end"] and not _inside_set(words):
            if start >= 0:
                yield start, end
            start, words = -1, []
            continue
        if start < 0:
            start = token.start()
        end = token.end()
        # a statement set goes on until one of its own semicolons is followed by END alone
        words.append(token["word"].upper() if token["word"] else token[0][0])
    if start >= 0:
        yield start, end


def _inside_set(words: list[str]) -> bool:
    """Whether a statement set has begun (also one to be explained or compiled) and its END has not come."""
    begun = any(words[i : i + 3] in _SET_BEGINS for i in range(len(words) - 2))
    return begun and words[-2:] != [";", "END"]
