"""Query parameters: numbers within bounds, names of harmless characters, lists in a text."""

from __future__ import annotations

import re
from collections.abc import Mapping

from commons.process.errors import Invalid
from protocol import codes
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from protocol.states.job import JobStatus

_NAME = re.compile(r"[A-Za-z0-9\-_.:]+")
LARGEST_PAGE = 1000
MOST_IDS = 30
MOST_STATUSES = 20
LONGEST_NAME = 250
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


def checked_name(query: Mapping[str, str], name: str) -> str:
    """A name of harmless characters, or nothing; raises Invalid naming the parameter."""
    value = query.get(name, "")
    if value and (len(value) > LONGEST_NAME or not _NAME.fullmatch(value)):
        what = f"Invalid {name} : {value[:50]!r}; it takes up to {LONGEST_NAME} of letters, digits, - _ . and :"
        raise Invalid(codes.QUERY_INVALID, what, field=name)
    return value


def history_query(query: Mapping[str, str], user: str, *, all_users: bool) -> pb.JobHistoryQuery:
    """The query of /jobhistory/list. Without the right to see all, a user sees his own jobs only."""
    whose = checked_name(query, "proxyUser")
    size = number(query, "pageSize", 20, LARGEST_PAGE)
    return pb.JobHistoryQuery(
        submit_user=whose if all_users else user,
        created_from_ms=max(0, number(query, "startDate", 0, LATEST_MS)),
        created_to_ms=max(0, number(query, "endDate", 0, LATEST_MS)),
        statuses=_statuses(query.get("status", "")),
        job_id=max(0, number(query, "taskID", 0)),
        engine_type=checked_name(query, "executeApplicationName"),
        creator=checked_name(query, "creator"),
        instance=checked_name(query, "instance"),
        engine_instance=checked_name(query, "engineInstance"),
        run_type=checked_name(query, "runType"),
        page=max(1, number(query, "pageNow", 1, 2**31 - 1)),
        page_size=size if size > 0 else 20,
    )


def undone_query(query: Mapping[str, str], user: str, *, all_users: bool) -> pb.JobHistoryQuery:
    """The query of the routes that show jobs which have not ended: from `startTaskID` on."""
    wanted = history_query(query, user, all_users=all_users)
    wanted.engine_type = checked_name(query, "engineType")
    wanted.from_job_id = max(0, number(query, "startTaskID", 0))
    wanted.unended = True
    return wanted


def ids_query(query: Mapping[str, str], user: str, *, all_users: bool) -> pb.JobHistoryQuery:
    """The query of /jobhistory/list-taskids: `taskID` holds ids with commas between."""
    texts = [text.strip() for text in query.get("taskID", "").split(",") if text.strip()]
    if not 0 < len(texts) <= MOST_IDS:
        raise Invalid(codes.QUERY_INVALID, f"taskID must hold 1 to {MOST_IDS} ids with commas between", field="taskID")
    ids = [number({"taskID": text}, "taskID", 0) for text in texts]
    return pb.JobHistoryQuery(submit_user="" if all_users else user, job_ids=ids, page=1, page_size=MOST_IDS)


def _statuses(text: str) -> list[str]:
    """The statuses a query names; a job that waits for its next attempt is shown as Scheduled, so it is found so."""
    statuses = list(dict.fromkeys(status for status in text.split(",") if status))
    if len(statuses) > MOST_STATUSES:
        what = f"status takes up to {MOST_STATUSES} of {', '.join(JobStatus)}, with commas between"
        raise Invalid(codes.QUERY_INVALID, what, field="status")
    return [*statuses, JobStatus.WAIT_FOR_RETRY] if JobStatus.SCHEDULED in statuses else statuses
