"""REST as clients see it: good answers opened, refusals read, JSON described by its types."""

from __future__ import annotations

import re
from typing import Any

import httpx2

from tests.conftest import Service
from tests.support.document import contradictions

PREFIX, ALIAS = "/api/rest_j/v1", "/api"


class Rest:
    """The administrator's calls, by token. Close it after use."""

    def __init__(self, service: Service) -> None:
        headers = {"Token-Code": service.token, "Token-User": service.user}
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
        answer = reply.json()
        assert contradictions(reply) == []
        assert (reply.status_code, answer["status"]) == (400, 1), answer
        assert re.fullmatch("[0-9a-f]{16}", answer["data"]["trace_id"])
        fault = answer["data"]["errorMsg"]
        assert list(fault) == ["serviceKind", "level", "port", "errCode", "ip", "desc"]
        return fault["errCode"], answer["data"].get("field"), fault["desc"]


def shape(value: object) -> object:
    """The JSON type of a value; of an object each key's, of a list that of its first item."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value[:1]]
    return "null" if value is None else type(value).__name__
