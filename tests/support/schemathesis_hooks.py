"""For tests/e2e/test_schemathesis.py: of the submits it makes up, those that are whole name an engine that there is."""

from __future__ import annotations

from typing import Any

import schemathesis


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    if context.operation.definition.raw.get("operationId") not in ("submit", "execute") or not isinstance(body, dict):
        return body
    content, labels = body.get("executionContent", body), body.get("labels")
    if isinstance(content, dict) and isinstance(labels, dict) and isinstance(content.get("runType", ""), str | None):
        content = {**content, "runType": "sql"}
        labels = {**labels, "engineType": "flink-1.20.5", "userCreator": "admin-IDE"}
        return {**body, "executionContent": content, "labels": labels} if "executionContent" in body else {
            **content, "labels": labels,
        }  # fmt: skip
    return body
