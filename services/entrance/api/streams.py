"""/entrance/{id}/results/{n}: a result set as a stream, while the job runs too."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import StreamingResponse

from commons.process.errors import Invalid
from commons.storage import Storage
from protocol import codes
from services.entrance.api.asking import asker_of
from services.entrance.api.declared import JobKey, declared
from services.entrance.jobs import Jobs
from services.entrance.results import Results, as_arrow, as_json_lines, rendered_rows, virtual_name
from services.entrance.spreadsheet import csv_file
from services.entrance.wire import results as wire
from services.entrance.wire.exec_id import parse_job_key
from services.entrance.wire.queries import number
from services.entrance.wire.shapes import jobs as shapes

router = APIRouter(prefix="/entrance", tags=["entrance"])

_TYPES = {"arrow": "application/vnd.apache.arrow.stream", "csv": "text/csv;charset=utf-8", "jsonl": "application/jsonl"}

_FORMATS: dict[str, dict[str, object]] = {kind: {"type": "string"} for kind in _TYPES.values()}
_Number = Annotated[int, Path(description="Number of the result set, from 0.")]


@router.get(
    "/{id}/results/{n}",
    response_class=StreamingResponse,
    **declared("jobResults", _FORMATS, query=shapes.ResultQuery),
)
async def result_set(request: Request, id: JobKey, n: _Number) -> StreamingResponse:
    """Result set `n` (from 0, in the order of the statements), its rows from `fromRow` on, at most `rows` of them.

    `format` is arrow (an IPC stream), csv (with a head, NULL as an empty cell) or jsonl.
    """
    asker = await asker_of(request)
    query, jobs, storage = request.query_params, request.app.state.jobs, request.app.state.storage
    form = query.get("format", "arrow")
    if form not in _TYPES:
        raise Invalid(
            codes.QUERY_INVALID, f"format must be one of {', '.join(_TYPES)}, not {form[:20]!r}", field="format"
        )
    assert isinstance(jobs, Jobs) and isinstance(storage, Storage)
    job = await jobs.find(parse_job_key(id), asker)
    location = storage.relative(job.result_location)
    if location is None or n < 0:
        raise wire.path_missing(job.result_location)
    first, rows = max(0, number(query, "fromRow", 0)), number(query, "rows", 2**53)
    content = await asyncio.to_thread(_content, request.app.state.results, location, n, first, rows, form)
    return StreamingResponse(content, media_type=_TYPES[form])


def _content(results: Results, location: str, n: int, first: int, rows: int, form: str) -> Iterator[bytes]:
    schema, batches = results.batches(location, virtual_name(n), first, rows)
    match form:
        case "arrow":
            return as_arrow(schema, batches)
        case "jsonl":
            return as_json_lines(schema, batches)
        case _:
            texts = (row for batch in batches for row in rendered_rows(batch, schema))
            cells = (["" if cell is None else cell for cell in row] for row in texts)
            return csv_file(schema.names, cells, ",", quote_all=False)
