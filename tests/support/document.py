"""Whether an answer is what the OpenAPI document says: its status, its type, each of its fields and no other."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import httpx2
import jsonschema_rs

from services.entrance.api.app import ALIAS, PREFIX, door


@cache
def document() -> dict[str, Any]:
    return json.loads(json.dumps(door().openapi()))


def operation(method: str, path: str) -> dict[str, Any] | None:
    """What the document says of a route, under either prefix; None when it does not name it."""
    named = path if path.startswith((f"{PREFIX}/", "/health/")) else PREFIX + path.removeprefix(ALIAS)
    found = [
        operations[method.lower()]
        for template, operations in document()["paths"].items()
        if method.lower() in operations and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), named)
    ]
    return found[0] if found else None


def contradictions(reply: httpx2.Response) -> list[str]:
    """Where an answer, or the request that was answered well, is not as the document says."""
    asked = operation(reply.request.method, reply.request.url.path)
    if asked is None:
        return []
    said = asked["responses"].get(str(reply.status_code))
    if said is None:
        return [f"{asked['operationId']} may not answer {reply.status_code}: {reply.text[:200]}"]
    kind = reply.headers["content-type"].partition(";")[0]
    content = said["content"].get(kind)
    if content is None:
        return [f"{asked['operationId']} may not answer {kind}"]
    found = []
    if kind == "application/json":
        found += _unlike(content["schema"], reply.json(), closed=True)
    if reply.status_code == 200:
        found += _unlike_request(asked, reply.request)
    return [f"{asked['operationId']}: {each}" for each in found]


def _unlike_request(asked: dict[str, Any], request: httpx2.Request) -> list[str]:
    """What is accepted lacks nothing that is required, and its body is as declared."""
    required = {each["name"] for each in asked.get("parameters", []) if each["required"] and each["in"] == "query"}
    found = [f"{name} is not required" for name in required - set(request.url.params)]
    body = asked.get("requestBody", {"content": {}})["content"].get("application/json")
    if body is None or not request.headers.get("content-type", "").startswith("application/json"):
        return found
    return found + _unlike(body["schema"], json.loads(request.content), closed=False)


def _unlike(schema: dict[str, Any], value: Any, *, closed: bool) -> list[str]:
    components = document()["components"]
    whole = {**schema, "components": _closed(components) if closed else components}
    return [
        f"{error.instance_path}: {error.message[:300]}" for error in _validator(json.dumps(whole)).iter_errors(value)
    ]


@cache
def _validator(schema: str) -> Any:
    return jsonschema_rs.validator_for(json.loads(schema))


def _closed(schema: Any) -> Any:
    """The same where objects have no fields but the declared ones."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(value) for name, value in schema.items()}
    return (
        {**closed, "additionalProperties": False}
        if schema.get("type") == "object" and "properties" in schema
        else closed
    )
