"""Jobs and result sets as HTML, for notebooks. Whatever a job or the service says is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from headgate.values import Column

MOST_ROWS, MOST_COLUMNS, MOST_CHARACTERS = 20, 50, 200
_LONGEST_ID = 24
_COLORS = {"Succeed": "green", "Failed": "#c00", "Cancelled": "gray", "Timeout": "#c00"}


def job(id: str | int, status: str = "", fraction: float = 0.0, error: str = "") -> str:
    """A job in one line, with a bar; below it the error, when there is one."""
    full, percent = str(id), f"{fraction:.0%}"
    short = full if len(full) <= _LONGEST_ID else f"…{full[1 - _LONGEST_ID :]}"
    color = _COLORS.get(status, "inherit")
    line = (
        f'<div>job <code title="{escape(full)}">{escape(short)}</code> <b style="color:{color}">{escape(status)}</b> '
        f'<progress value="{fraction:.2f}" max="1"></progress> {percent}</div>'
    )
    return line + (f'<pre style="color:#c00">{escape(error)}</pre>' if error else "")


def table(number: int, columns: Sequence[Column], rows: Sequence[Sequence[str | None]]) -> str:
    """A result set's first rows and columns, of each cell so many characters, and a line that says what is left out."""
    head = "".join(
        f'<th title="{escape(column.type)}">{escape(_cut(column.name))}</th>' for column in columns[:MOST_COLUMNS]
    )
    body = "".join(f"<tr>{''.join(map(_cell, row[:MOST_COLUMNS]))}</tr>" for row in rows[:MOST_ROWS])
    left_out = []
    if len(rows) > MOST_ROWS:
        left_out.append(f"the first {MOST_ROWS} rows")
    if len(columns) > MOST_COLUMNS:
        left_out.append(f"{MOST_COLUMNS} of {len(columns)} columns")
    note = f"<div>{' and '.join(left_out)} are shown; .rows(), .to_arrow() or .to_pandas() give all</div>"
    shown = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f"<div>Result {number}{'' if rows else ': no rows'}</div>{shown}{note if left_out else ''}"


def _cell(value: str | None) -> str:
    return "<td><i>NULL</i></td>" if value is None else f"<td>{escape(_cut(value))}</td>"


def _cut(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS] + "…"
