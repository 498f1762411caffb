"""Requests to the service, and its envelope opened."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import httpx2

from headgate.credentials import Credentials
from headgate.errors import NotLoggedIn, Refused, Unreachable

PREFIX = "/api/rest_j/v1"
TICKET = "linkis_user_session_ticket_id_v1"
TRIES = 4


class Http:
    """GETs are tried again when the connection fails; a POST is sent once."""

    def __init__(self, credentials: Credentials, transport: httpx2.BaseTransport | None = None) -> None:
        headers = {}
        if credentials.token:
            headers = {"Token-Code": credentials.token, "Token-User": credentials.user}
        cookies = {TICKET: credentials.ticket} if credentials.ticket else {}
        self.url = credentials.url
        self._client = httpx2.Client(
            base_url=credentials.url.rstrip("/") + PREFIX,
            headers=headers,
            cookies=cookies,
            timeout=60,
            transport=transport,
        )

    def get(self, route: str, /, **query: str | int) -> dict[str, Any]:
        for attempt in range(TRIES):
            try:
                return self._open(self._client.get(route, params=query))
            except httpx2.TransportError as error:
                if attempt == TRIES - 1:
                    raise self._unreachable(error) from None
                time.sleep(0.2 * 2**attempt)
        raise AssertionError

    def post(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        try:
            return self._open(self._client.post(path, json=dict(body)))
        except httpx2.TransportError as error:
            raise self._unreachable(error) from None

    def cookie(self, name: str) -> str:
        return self._client.cookies.get(name) or ""

    def close(self) -> None:
        self._client.close()

    def _unreachable(self, error: Exception) -> Unreachable:
        return Unreachable(f"nothing answers at {self.url}: {error}; is the service up?")

    def _open(self, reply: httpx2.Response) -> dict[str, Any]:
        try:
            envelope = reply.json()
            status, message, data = envelope["status"], str(envelope["message"]), envelope.get("data") or {}
        except (ValueError, KeyError, TypeError):
            raise Refused(f"{self.url} answered HTTP {reply.status_code} in a form that Headgate never uses") from None
        if status == 0:
            return dict(data)
        if status == -1:
            raise NotLoggedIn(message)
        fault = data.get("errorMsg") or {}
        raise Refused(str(fault.get("desc") or message), int(fault.get("errCode") or 0), data.get("field"))
