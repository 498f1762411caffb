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

err = Console(stderr=True, highlight=False)


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def rows(columns: Sequence[str], data: Iterable[Sequence[object]], form: Format, title: str = "") -> None:
    """Print rows in the form asked for."""
    if form is Format.JSON:
        print(json.dumps([dict(zip(columns, row, strict=True)) for row in data], ensure_ascii=False))
    elif form is Format.CSV:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(["" if cell is None else cell for cell in row] for row in data)
    else:
        table = Table(*columns, title=title or None, title_justify="left")
        for row in data:
            table.add_row(*("NULL" if cell is None else str(cell) for cell in row))
        Console(soft_wrap=False).print(table)


def one(values: Mapping[str, Any], form: Format) -> None:
    """Print one thing's values."""
    if form is Format.JSON:
        print(json.dumps(values, ensure_ascii=False))
    elif form is Format.CSV:
        rows(list(values), [list(values.values())], form)
    else:
        for name, value in values.items():
            print(f"{name}: {value}" if len(values) > 1 else value)
