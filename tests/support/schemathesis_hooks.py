"""For tests/e2e/test_schemathesis.py: of the submits it makes up, those that are whole name an engine that there is,
and once jobs a content."""

from __future__ import annotations

import os
from typing import Any

import schemathesis

LABELS = {"engineType": "flink-1.20.5", "userCreator": "admin-IDE"}


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    if context.operation.definition.raw.get("operationId") in ("createEngineConn", "askEngineConn"):
        return _once(body)
    if context.operation.definition.raw.get("operationId") not in ("submit", "execute") or not isinstance(body, dict):
        return body
    content, labels = body.get("executionContent", body), body.get("labels")
    if isinstance(content, dict) and isinstance(labels, dict) and isinstance(content.get("runType", ""), str | None):
        content = {**content, "runType": "sql"}
        labels = {**labels, **LABELS}
        return {**body, "executionContent": content, "labels": labels} if "executionContent" in body else {
            **content, "labels": labels,
        }  # fmt: skip
    return body


def _once(body: Any) -> Any:
    if not isinstance(body, dict) or not all(isinstance(body.get(name), dict) for name in ("labels", "properties")):
        return body
    content = {"onceExecutorContent": os.environ["HEADGATE_TEST_ONCE"]}
    return {**body, "labels": {**body["labels"], **LABELS}, "properties": {**body["properties"], **content}}
