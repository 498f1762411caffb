"""A job's result sets on stdout: tables, JSON, CSV, or one of them as an Arrow stream."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from itertools import islice

import typer

from headgate.client import Job, ResultSet
from headgate.errors import NoSuchResult
from headgate.show import Format, ResultFormat, rows, say

ROWS_PRINTED = 1000


def check_terminal(form: ResultFormat) -> None:
    """Raises BadParameter when Arrow would go to a terminal."""
    if form is ResultFormat.ARROW and sys.stdout.isatty():
        raise typer.BadParameter(
            "an Arrow stream is not for a terminal: redirect it, such as -o arrow > result.arrow, or pipe it"
        )


def print_results(job: Job, status: str, form: ResultFormat, number: int | None, max_rows: int | None) -> None:
    """Print all result sets, or the one with the number."""
    if form is ResultFormat.ARROW:
        _write_arrow(_one(job, number), max_rows)
        return
    found: Iterable[ResultSet] = job.results() if number is None else [_one(job, number)]
    most = ROWS_PRINTED if max_rows is None else max_rows
    shown = _shown(found, Format(form), most)
    if form is ResultFormat.JSON:
        print(json.dumps({"job": job.id, "status": status, "results": shown}, ensure_ascii=False))


def _shown(found: Iterable[ResultSet], form: Format, most: int) -> list[dict[str, object]]:
    """Prints each result set, or as JSON gives it back."""
    shown: list[dict[str, object]] = []
    for position, result in enumerate(found):
        data = result.rows()
        if form is Format.JSON:
            shown.append({"columns": [vars(column) for column in result.columns], "rows": list(islice(data, most))})
        else:
            if position and form is Format.CSV:
                print()
            rows([column.name for column in result.columns], islice(data, most), form, f"Result {result.number}")
        if next(data, None) is not None:
            more = f"headgate results {result.job_id} --max-rows …"
            say(f"result {result.number} has more than {most} rows; for more: {more}")
    return shown


def _one(job: Job, number: int | None) -> ResultSet:
    try:
        return job.result(number)
    except NoSuchResult as error:
        how = f"; choose with: headgate results {job.id} -o … --result N" if error.count else ""
        raise typer.BadParameter(f"{error}{how}") from None


def _write_arrow(result: ResultSet, max_rows: int | None) -> None:
    for chunk in result.arrow(max_rows):
        sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()
