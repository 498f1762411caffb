"""REST as clients see it: good answers opened, refusals read, JSON described by its types."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import httpx2

from tests.conftest import Service
from tests.support.document import contradictions

PREFIX, ALIAS = "/api/rest_j/v1", "/api"


@dataclass(frozen=True)
class Fault:
    """What a refusal says; `code` is 0 and `field` None where the route has words of its own."""

    http: int
    code: int
    field: str | None
    message: str


class Rest:
    """Calls by token, the administrator's unless `user` and `token` are another's. Close it after use."""

    def __init__(self, service: Service, user: str = "", token: str = "") -> None:
        headers = {"Token-Code": token or service.token, "Token-User": user or service.user}
        self.http = httpx2.Client(base_url=service.url, headers=headers)

    def get(self, route: str, **query: str | int) -> Any:
        """The data of a good answer, whose envelope names the route."""
        reply = self.http.get(PREFIX + route, params=query)
        answer = reply.json()
        assert contradictions(reply) == []
        assert (reply.status_code, list(answer)) == (200, ["method", "status", "message", "data"]), answer
        assert (answer["method"], answer["status"]) == (ALIAS + route, 0)
        return answer["data"]

    def refused(self, route: str, body: object = None, **query: str | int) -> tuple[int, str | None, str]:
        """Code, field and description of a refusal with HTTP 400; with a body it is a POST."""
        path = PREFIX + route
        reply = self.http.get(path, params=query) if body is None else self.http.post(path, json=body)
        said = fault(reply)
        assert said.http == 400 and said.code, said
        return said.code, said.field, said.message


def fault(reply: httpx2.Response) -> Fault:
    """What a refusal says; it is the envelope, as the document describes it, and never HTTP 500."""
    answer = reply.json()
    assert 400 <= reply.status_code < 500, answer
    assert contradictions(reply) == []
    assert list(answer) == ["method", "status", "message", "data"]
    assert answer["status"] == {401: -1, 403: 3}.get(reply.status_code, 1)
    data = answer["data"]
    if "errorMsg" not in data:
        return Fault(reply.status_code, 0, None, answer["message"])
    assert re.fullmatch("[0-9a-f]{32}", data["trace_id"])
    said = data["errorMsg"]
    assert list(said) == ["serviceKind", "level", "port", "errCode", "ip", "desc"]
    return Fault(reply.status_code, said["errCode"], data.get("field"), said["desc"])


def shape(value: object) -> object:
    """The JSON type of a value; of an object each key's, of a list that of its first item."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value[:1]]
    return "null" if value is None else type(value).__name__
