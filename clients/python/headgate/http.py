"""Requests to the service, and its envelope opened."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx2

from headgate.credentials import Credentials
from headgate.errors import NotLoggedIn, Refused, Unreachable

PREFIX = "/api/rest_j/v1"
TICKET = "linkis_user_session_ticket_id_v1"
CONNECT_SECONDS = 1.5
RESTART_SECONDS = 60.0
# a proxy set for the world outside cannot reach this machine's own services, and must not see their tokens
_OWN_MACHINE = ("all://localhost", "all://127.0.0.1", "all://[::1]")


class Http:
    """What is harmless to repeat is tried again when the connection fails."""

    def __init__(self, credentials: Credentials, transport: httpx2.BaseTransport | None = None) -> None:
        headers = {}
        if credentials.token:
            headers = {"Token-Code": credentials.token, "Token-User": credentials.user}
        cookies = {TICKET: credentials.ticket} if credentials.ticket else {}
        self._credentials = credentials
        self._answered = False
        self._client = httpx2.Client(
            base_url=credentials.url + PREFIX,
            headers=headers,
            cookies=cookies,
            timeout=60,
            transport=transport,
            mounts=dict.fromkeys(_OWN_MACHINE),
        )

    def get(self, route: str, /, **query: str | int) -> dict[str, Any]:
        return self._again(lambda: self._client.get(route, params=query))

    def read(self, route: str, **query: str | int) -> bytes:
        """The body of an answer that is no envelope; refusals are opened as ever."""
        reply = self._client.get(route, params=query)
        if reply.status_code != 200:
            self._open(reply)
        return reply.content

    def post(self, path: str, body: Mapping[str, object], *, once_key: str = "") -> dict[str, Any]:
        """Sent once; with a key, under which the service does it once, again when the connection fails."""
        headers = {"Idempotency-Key": once_key} if once_key else {}
        return self._again(lambda: self._client.post(path, json=dict(body), headers=headers), tries=bool(once_key))

    def _again(self, call: Callable[[], httpx2.Response], *, tries: bool = True) -> dict[str, Any]:
        began, pause = time.monotonic(), 0.2
        while True:
            try:
                reply = call()
                self._answered = True
                return self._open(reply)
            except httpx2.TransportError as error:
                # a service that has answered before may be starting again
                patience = RESTART_SECONDS if self._answered else CONNECT_SECONDS
                if not tries or time.monotonic() - began > patience:
                    raise self._unreachable(error) from None
                time.sleep(pause)
                pause = min(2 * pause, 2.0)

    def cookie(self, name: str) -> str:
        return self._client.cookies.get(name) or ""

    def close(self) -> None:
        self._client.close()

    def _unreachable(self, error: Exception) -> Unreachable:
        named_by = f" (named by {self._credentials.named_by})" if self._credentials.named_by else ""
        return Unreachable(f"nothing answers at {self._credentials.url}{named_by}: {error}; is the service up?")

    def _open(self, reply: httpx2.Response) -> dict[str, Any]:
        try:
            envelope = reply.json()
            status, message, data = envelope["status"], str(envelope["message"]), dict(envelope.get("data") or {})
        except (ValueError, KeyError, TypeError):
            what = f"HTTP {reply.status_code} in a form that Headgate never uses"
            raise Refused(f"{self._credentials.url} answered {what}") from None
        if status == 0:
            return data
        if status == -1:
            raise NotLoggedIn(self._no_longer())
        fault = data.get("errorMsg") or {}
        raise Refused(str(fault.get("desc") or message), int(fault.get("errCode") or 0), data.get("field"))

    def _no_longer(self) -> str:
        what = "token" if self._credentials.token else "log-in"
        return (
            f"{self._credentials.url} does not take the {what} of {self._credentials.user} (expired, revoked, or of "
            "another service): run 'headgate login', or set HEADGATE_USER and HEADGATE_TOKEN"
        )
