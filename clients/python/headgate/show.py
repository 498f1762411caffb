"""Output: tables for people, JSON and CSV for programs. Data goes to stdout, everything else to stderr."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from rich.console import Console
from rich.table import Table

err = Console(stderr=True, markup=False, emoji=False, highlight=False)

# What a job says must not steer the reader's terminal: control characters are shown, not sent.
_SHOWN = {number: f"\\x{number:02x}" for number in (*range(0x20), *range(0x7F, 0xA0)) if chr(number) not in "\n\t"}
_WIDEST = 1_000_000


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class ResultFormat(StrEnum):
    """Result sets can also be had as Arrow."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    ARROW = "arrow"


def say(text: str, end: str = "\n") -> None:
    """Tell the user something, on stderr; a line stays a line, however long."""
    err.print(plain(text), end=end, soft_wrap=True)


def plain(text: str) -> str:
    """The text with control characters spelled out, such as \\x1b."""
    return text.translate(_SHOWN)


def rows(columns: Sequence[str], data: Iterable[Sequence[object]], form: Format, title: str = "") -> None:
    """Print rows in the form asked for; CSV as they come, the others once all are there."""
    if form is Format.JSON:
        print(json.dumps([dict(zip(columns, row, strict=True)) for row in data], ensure_ascii=False))
    elif form is Format.CSV:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        for row in data:
            writer.writerow(["" if cell is None else cell for cell in row])
            sys.stdout.flush()
    else:
        if title:
            print(title)
        table = Table(*map(plain, columns))
        for row in data:
            table.add_row(*("NULL" if cell is None else plain(str(cell)) for cell in row))
        # cells are folded to fit a terminal only: in a pipe a row stays a line
        width = None if sys.stdout.isatty() else _WIDEST
        Console(width=width, markup=False, emoji=False, highlight=False).print(table)


def one(values: Mapping[str, Any], form: Format) -> None:
    """Print one thing's values."""
    if form is Format.JSON:
        print(json.dumps(values, ensure_ascii=False))
    elif form is Format.CSV:
        rows(list(values), [list(values.values())], form)
    else:
        for name, value in values.items():
            shown = plain(str(value))
            print(f"{name}: {shown}" if len(values) > 1 else shown)
