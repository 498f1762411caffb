"""What the OpenAPI document says of a route: it stands in the route's decorator and changes nothing of what it does.

Queries and bodies are read by hand, so that every refusal is Linkis' envelope and names the field; here they are only
declared. tests/contract/test_wire.py holds the answers against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import UnionType
from typing import Annotated, TypedDict, cast

from fastapi import Path
from pydantic import BaseModel, TypeAdapter

from services.entrance.api.asking import TICKET
from services.entrance.wire.shapes.envelopes import Envelope, Failure

JobKey = Annotated[str, Path(description="The task id, or the execID.")]
JSON, FORM = "application/json", "multipart/form-data"
Schema = dict[str, object]
Links = Mapping[str, Mapping[str, object]]

SECURITY: Schema = {
    "ticket": {"type": "apiKey", "in": "cookie", "name": TICKET},
    "tokenCode": {"type": "apiKey", "in": "header", "name": "Token-Code"},
    "tokenUser": {"type": "apiKey", "in": "header", "name": "Token-User"},
}
_ASKER: list[dict[str, list[str]]] = [{"ticket": []}, {"tokenCode": [], "tokenUser": []}]
FAILURES = {
    400: "The request is wrong, or there is no such thing.",
    401: "Log in first.",
    408: "The body came too slowly.",
    413: "The body is too large.",
    415: "The body is of another type.",
    429: "A limit is reached; try again later.",
    503: "A part of the service does not answer; try again later.",
}
_RETRY_AFTER = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}


class Declared(TypedDict):
    """Arguments of a route's decorator."""

    operation_id: str
    response_model: None
    responses: dict[int | str, Schema]
    openapi_extra: Schema


def declared(
    name: str,
    answer: type[BaseModel] | Mapping[str, Schema],
    *,
    query: type[BaseModel] | None = None,
    headers: Mapping[str, Schema] | None = None,
    body: type[BaseModel] | UnionType | None = None,
    body_type: str = JSON,
    body_may_lack: bool = False,
    anybody: bool = False,
    also: Mapping[int, str] | None = None,
    links: Links | None = None,
) -> Declared:
    """`name` is the operation's id. `answer` is what the envelope of a good answer holds, or a schema for each media
    type; `also` is why there are refusals of other kinds; `anybody` may ask without a log-in."""
    failures = {400, 503} | (set() if anybody else {401}) | ({408, 413, 415} if body is not None else set())
    responses = {code: _failure(code, FAILURES[code]) for code in sorted(failures)}
    responses |= {code: _failure(code, why) for code, why in (also or {}).items()}
    extra: Schema = {"parameters": [*_parameters(query), *_headers(headers or {})]}
    if not anybody:
        extra["security"] = _ASKER
    if body is not None:
        extra["requestBody"] = {"required": not body_may_lack, "content": {body_type: {"schema": _inline(body)}}}
    return {
        "operation_id": name,
        "response_model": None,
        "responses": {200: _good(answer, links or {}), **dict(sorted(responses.items()))},
        "openapi_extra": extra,
    }


def job_links(key: str = "$response.body#/data/taskID") -> Links:
    """From an answer that names a job to what can be asked of it."""
    of_job = ("jobStatus", "jobProgress", "jobLog", "jobKill", "jobPause", "jobEvents", "getTask")
    return {
        **{name: {"operationId": name, "parameters": {"id": key}} for name in of_job},
        "jobResults": {"operationId": "jobResults", "parameters": {"id": key, "n": 0}},
    }


def _good(answer: type[BaseModel] | Mapping[str, Schema], links: Links) -> Schema:
    good: Schema = {"description": "Done.", "links": dict(links)} if links else {"description": "Done."}
    if isinstance(answer, type):
        return {**good, "model": Envelope[answer]}  # type: ignore[valid-type]
    return {**good, "content": {kind.partition(";")[0]: {"schema": schema} for kind, schema in answer.items()}}


def _failure(code: int, why: str) -> Schema:
    headers = _RETRY_AFTER if code in (429, 503) else {}
    return {"description": why, "model": Failure, **({"headers": headers} if headers else {})}


def _parameters(query: type[BaseModel] | None) -> list[Schema]:
    if query is None:
        return []
    schema = _inline(query)
    properties, required = schema.get("properties"), schema.get("required", [])
    assert isinstance(properties, dict) and isinstance(required, list)
    return [_parameter("query", name, shape, required=name in required) for name, shape in properties.items()]


def _headers(headers: Mapping[str, Schema]) -> list[Schema]:
    return [_parameter("header", name, shape, required=False) for name, shape in headers.items()]


def _parameter(place: str, name: str, shape: Schema, *, required: bool) -> Schema:
    said: Schema = {"name": name, "in": place, "required": required, "description": shape.get("description", "")}
    return {**said, "schema": {key: value for key, value in shape.items() if key != "description"}}


def _inline(shape: type[BaseModel] | UnionType) -> Schema:
    """The JSON schema of a type; what it refers to stands within, and without titles, which only repeat names."""
    schema: Schema = TypeAdapter(cast("type[object]", shape)).json_schema(ref_template="{model}")
    within = schema.pop("$defs", {})
    assert isinstance(within, dict)
    opened = _opened(schema, within)
    assert isinstance(opened, dict)
    return opened


def _opened(schema: object, within: Mapping[str, object]) -> object:
    if isinstance(schema, list):
        return [_opened(each, within) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        whole = _opened(within[str(schema["$ref"])], within)
        assert isinstance(whole, dict)
        return whole | {name: value for name, value in schema.items() if name != "$ref"}
    return {name: _opened(value, within) for name, value in schema.items() if not _is_title(name, value)}


def _is_title(name: str, value: object) -> bool:
    return name == "title" and isinstance(value, str)
