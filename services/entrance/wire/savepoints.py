"""Savepoints as clients read them."""

from __future__ import annotations

from protocol.jobhistory.v1 import jobhistory_pb2 as pb


def savepoint(each: pb.Savepoint) -> dict[str, object]:
    """`madeAt` and `disposedAt` in epoch milliseconds; `disposedAt` and `resumedBy` are null when there is none."""
    return {
        "id": each.savepoint_id,
        "taskID": each.job_id,
        "statement": each.statement,
        "kind": each.kind,
        "path": each.path,
        "madeAt": each.made_at_ms,
        "resumedBy": each.resumed_by or None,
        "disposedAt": each.disposed_at_ms or None,
    }
