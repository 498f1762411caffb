"""/filesystem/resultset(s)ToExcel: whole result sets as CSV or .xlsx, streamed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from itertools import islice
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from commons.process.errors import Invalid
from protocol import codes, layout
from services.entrance.api.asking import asker_of
from services.entrance.api.declared import declared
from services.entrance.api.places import job_place, result_set_name, results_at
from services.entrance.results import Results
from services.entrance.spreadsheet import NUMBERS, Sheet, csv_file, xlsx_file
from services.entrance.wire import results as wire
from services.entrance.wire.queries import number
from services.entrance.wire.shapes import files as shapes

router = APIRouter(prefix="/filesystem", tags=["filesystem"])

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_CSV = "text/plain;charset=utf-8"
_SHEET: dict[str, dict[str, object]] = {_XLSX: {"type": "string", "format": "binary"}}
_EITHER: dict[str, dict[str, object]] = {_CSV: {"type": "string"}, **_SHEET}


@router.get(
    "/resultsetToExcel",
    response_class=StreamingResponse,
    **declared("resultsetToExcel", _EITHER, query=shapes.SheetQuery),
)
async def result_set(request: Request) -> StreamingResponse:
    """One result set, as `outputFileType` csv or xlsx; all of its rows unless `limit` is given."""
    asker = await asker_of(request)
    query = request.query_params
    place = job_place(request, asker)
    kind = query.get("outputFileType", "csv").lower()
    if kind not in ("csv", "xlsx"):
        what = f"outputFileType must be csv or xlsx, not {kind[:20]!r}"
        raise Invalid(codes.QUERY_INVALID, what, field="outputFileType")
    separator = _separator(query)
    results: Results = request.app.state.results
    location = await results_at(request, place, asker)
    sheet = await asyncio.to_thread(_sheet, results, location, result_set_name(place), query, *_narrowed(query))
    if kind == "xlsx":
        return _attachment(xlsx_file([sheet]), query, kind)
    quote_all = query.get("quoteRetouchEnable", "").lower() == "true"
    return _attachment(csv_file(sheet.head, sheet.rows, separator, quote_all=quote_all), query, kind)


@router.get(
    "/resultsetsToExcel",
    response_class=StreamingResponse,
    **declared("resultsetsToExcel", _SHEET, query=shapes.SheetsQuery),
)
async def result_sets(request: Request) -> StreamingResponse:
    """All result sets of a job, each on a sheet of one .xlsx file."""
    asker = await asker_of(request)
    query = request.query_params
    place = job_place(request, asker)
    results: Results = request.app.state.results
    location = await results_at(request, place, asker)
    names = [entry.name for entry in await asyncio.to_thread(results.files, location)]
    if place.rest not in ("", layout.RESULTS) or not names:
        raise wire.path_missing(query.get("path", ""))
    narrowed, limit = _narrowed(query)  # before the answer begins
    sheets = (_sheet(results, location, name, query, narrowed, limit) for name in names)
    return _attachment(xlsx_file(sheets), query, "xlsx")


def _narrowed(query: Mapping[str, str]) -> tuple[wire.Narrowing, int]:
    """Which columns, and how many rows, are wanted. Raises Invalid."""
    return wire.narrowing(query), number(query, "limit", 0)


def _sheet(
    results: Results, location: str, name: str, query: Mapping[str, str], narrowed: wire.Narrowing, limit: int
) -> Sheet:
    """A result set as the caller wants it: its columns, its NULLs, its rows."""
    page, rows = results.stream(location, name)
    kept, null = narrowed.kept(page.columns), wire.null_text(query)
    columns = [page.columns[index] for index in kept]
    typed = query.get("autoFormat", "").lower() == "true"
    return Sheet(
        query.get("sheetName") or name.partition(".")[0].replace("_", "result_"),
        [column.name for column in columns],
        ([null if (cell := row[index]) is None else cell for index in kept] for row in _first(rows, limit)),
        frozenset(index for index, column in enumerate(columns) if typed and column.type in NUMBERS),
    )


def _first(rows: Iterator[wire.Row], limit: int) -> Iterator[wire.Row]:
    return islice(rows, limit) if limit > 0 else rows


def _separator(query: Mapping[str, str]) -> str:
    separator = query.get("csvSeparator") or ","
    if len(separator) != 1 or separator in '"\r\n\0':
        what = "csvSeparator must be one character, and no quote or line end"
        raise Invalid(codes.QUERY_INVALID, what, field="csvSeparator")
    return separator


def _attachment(content: Iterator[bytes], query: Mapping[str, str], kind: str) -> StreamingResponse:
    headers = disposition(f"{query.get('outputFileName') or 'downloadResultset'}.{kind}")
    return StreamingResponse(content, media_type=_XLSX if kind == "xlsx" else _CSV, headers=headers)


def disposition(name: str) -> dict[str, str]:
    """The header that makes an answer a file of this name."""
    plain = name.isascii() and all(each.isalnum() or each in "._-" for each in name)
    shown = f"filename={name}" if plain else f"filename*=UTF-8''{quote(name, safe='')}"
    return {"Content-Disposition": f"attachment;{shown}"}
