"""Query parameters: numbers within bounds, names of harmless characters, lists in a text."""

from __future__ import annotations

import re
from collections.abc import Mapping

from commons.process.errors import Invalid
from protocol import codes
from protocol.jobhistory.v1 import jobhistory_pb2 as pb

_NAME = re.compile(r"[A-Za-z0-9\-_.:]+")
LARGEST_PAGE = 1000
LATEST_MS = 253_402_300_799_999
"""The end of the year 9999."""


def number(query: Mapping[str, str], name: str, default: int, largest: int = 2**53) -> int:
    """A whole number; raises Invalid naming the parameter."""
    text = query.get(name, "")
    if not text:
        return default
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 18) or abs(int(text)) > largest:
        raise Invalid(
            codes.QUERY_INVALID, f"{name} must be a whole number up to {largest}, not {text[:30]!r}", field=name
        )
    return int(text)


def history_query(query: Mapping[str, str], user: str, *, all_users: bool) -> pb.JobHistoryQuery:
    """The query of /jobhistory/list. Without the right to see all, a user sees his own jobs only."""
    for name in ("creator", "executeApplicationName", "proxyUser", "instance", "engineInstance", "runType"):
        value = query.get(name, "")
        if value and not _NAME.fullmatch(value):
            raise Invalid(codes.QUERY_INVALID, f"Invalid {name} : {value[:50]}", field=name)
    whose = query.get("proxyUser", "") if all_users else user
    size = number(query, "pageSize", 20, LARGEST_PAGE)
    return pb.JobHistoryQuery(
        submit_user=whose,
        created_from_ms=max(0, number(query, "startDate", 0, LATEST_MS)),
        created_to_ms=max(0, number(query, "endDate", 0, LATEST_MS)),
        statuses=[status for status in query.get("status", "").split(",") if status],
        job_id=max(0, number(query, "taskID", 0)),
        engine_type=query.get("executeApplicationName", ""),
        creator=query.get("creator", ""),
        instance=query.get("instance", ""),
        run_type=query.get("runType", ""),
        page=max(1, number(query, "pageNow", 1, 2**31 - 1)),
        page_size=size if size > 0 else 20,
    )
