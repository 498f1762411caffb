"""Requests to the service, its envelope opened, and what is done when it does not answer."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2

from headgate.credentials import Credentials
from headgate.errors import HeadgateError, NotLoggedIn, Refused, Unreachable
from headgate.wire import Wire

PREFIX = "/api/rest_j/v1"
TICKET = "linkis_user_session_ticket_id_v1"
CONNECT_SECONDS = 1.5
RESTART_SECONDS = 60.0
SILENCE_SECONDS = 60.0
"""A stream of events says every 15 seconds that it is still there."""


class Http:
    """What is harmless to repeat is tried again when the connection fails or the service says that it is not ready."""

    def __init__(self, credentials: Credentials, wire: Wire, password: str | None = None) -> None:
        self.credentials = credentials
        self._wire = wire
        self._password = password
        self._logging_in = asyncio.Lock()
        self._answered = False
        self.sleep = wire.sleep
        self.timeout_seconds = wire.client.timeout.read or SILENCE_SECONDS
        if credentials.token:
            wire.client.headers.update({"Token-Code": credentials.token, "Token-User": credentials.user})
        if credentials.ticket:
            wire.client.cookies.set(TICKET, credentials.ticket)

    async def log_in(self) -> None:
        """Exchange the password, if there is one, for a log-in; the first request does it too."""
        async with self._logging_in:
            if self._password is None:
                return
            body = {"userName": self.credentials.user, "password": self._password}
            request = self._wire.client.build_request("POST", "/user/login", json=body)
            await self._opened(await self._sent(request, tries=False))
            ticket = self._wire.client.cookies.get(TICKET) or ""
            self.credentials, self._password = replace(self.credentials, ticket=ticket), None

    async def get(self, route: str, /, **query: str | int) -> dict[str, Any]:
        await self.log_in()
        return await self._opened(await self._sent(self._wire.client.build_request("GET", route, params=query)))

    async def post(self, route: str, body: Mapping[str, object], *, once_key: str = "") -> dict[str, Any]:
        """Sent once; with a key, under which the service does it once, again when the connection fails."""
        await self.log_in()
        headers = {"Idempotency-Key": once_key} if once_key else {}
        request = self._wire.client.build_request("POST", route, json=dict(body), headers=headers)
        return await self._opened(await self._sent(request, tries=bool(once_key)))

    async def delete(self, route: str) -> dict[str, Any]:
        """The data of the answer's envelope."""
        await self.log_in()
        return await self._opened(await self._sent(self._wire.client.build_request("DELETE", route), tries=False))

    async def send_file(self, route: str, path: Path, **fields: str) -> dict[str, Any]:
        """A form with a file, read as it is sent; sent once."""
        await self.log_in()
        with path.open("rb") as file:
            request = self._wire.client.build_request("POST", route, data=fields, files={"file": (path.name, file)})
            return await self._opened(await self._sent(request, tries=False))

    async def chunks(self, route: str, **query: str | int) -> AsyncGenerator[bytes, None]:
        """A body that is no envelope, as it comes. Raises Unreachable when it is cut off."""
        await self.log_in()
        async with self._stream(self._wire.client.build_request("GET", route, params=query)) as reply:
            try:
                async with aclosing(self._wire.chunks(reply)) as found:
                    async for chunk in found:
                        yield chunk
            except httpx2.TransportError as error:
                raise self._unreachable(error) from None

    async def events(self, route: str, after: int = 0) -> AsyncGenerator[httpx2.ServerSentEvent, None]:
        """Server-sent events with a number above `after` up to `end`, also through broken connections and restarts."""
        await self.log_in()
        patience = self._patience()
        while True:
            try:
                async with aclosing(self._events(route, after)) as found:
                    async for event in found:
                        patience, after = self._patience(), int(event.id)
                        yield event
                        if event.event == "end":
                            return
                broken: Exception = httpx2.RemoteProtocolError("the events ended before the job did")
            except httpx2.TransportError as error:
                broken = error
            await self._wire.sleep(patience.seconds_after(self._unreachable(broken)))

    async def close(self) -> None:
        await self._wire.close()

    async def _events(self, route: str, after: int) -> AsyncGenerator[httpx2.ServerSentEvent, None]:
        headers = {"Last-Event-ID": str(after)}
        request = self._wire.client.build_request("GET", route, headers=headers, timeout=SILENCE_SECONDS)
        async with self._stream(request) as reply, aclosing(self._wire.events(reply)) as found:
            async for event in found:
                yield event

    @asynccontextmanager
    async def _stream(self, request: httpx2.Request) -> AsyncIterator[httpx2.Response]:
        reply = await self._sent(request, stream=True)
        try:
            if reply.status_code != 200:
                await self._opened(reply)
            yield reply
        finally:
            await self._wire.end(reply)

    async def _sent(self, request: httpx2.Request, *, stream: bool = False, tries: bool = True) -> httpx2.Response:
        patience = self._patience()
        while True:
            fault: HeadgateError
            try:
                reply = await self._wire.send(request, stream=stream)
                if not _passing(reply):
                    self._answered = True
                    return reply
                fault = await self._not_ready(reply)
            except httpx2.TransportError as error:
                fault = self._unreachable(error)
            if not tries:
                raise fault
            await self._wire.sleep(patience.seconds_after(fault))

    def _patience(self) -> _Patience:
        # a service that has answered before may be starting again
        return _Patience(RESTART_SECONDS if self._answered else CONNECT_SECONDS)

    def _unreachable(self, error: Exception) -> Unreachable:
        named_by = f" (named by {self.credentials.named_by})" if self.credentials.named_by else ""
        return Unreachable(f"nothing answers at {self.credentials.url}{named_by}: {error}; is the service up?")

    async def _not_ready(self, reply: httpx2.Response) -> HeadgateError:
        try:
            await self._opened(reply)
        except HeadgateError as fault:
            return fault
        finally:
            await self._wire.end(reply)
        return Refused(f"{self.credentials.url} answered HTTP {reply.status_code}")

    async def _opened(self, reply: httpx2.Response) -> dict[str, Any]:
        """The data of a good answer; raises what a bad one says."""
        try:
            envelope = json.loads(await self._wire.read(reply))
            status, message, data = envelope["status"], str(envelope["message"]), dict(envelope.get("data") or {})
        except httpx2.TransportError as error:
            raise self._unreachable(error) from None
        except (ValueError, KeyError, TypeError):
            what = f"HTTP {reply.status_code} in a form that Headgate never uses"
            raise Refused(f"{self.credentials.url} answered {what}") from None
        if status == 0:
            return data
        if status == -1:
            raise NotLoggedIn(self._no_longer())
        fault = data.get("errorMsg") or {}
        raise Refused(str(fault.get("desc") or message), int(fault.get("errCode") or 0), data.get("field"))

    def _no_longer(self) -> str:
        what = "token" if self.credentials.token else "log-in"
        return (
            f"{self.credentials.url} does not take the {what} of {self.credentials.user} (expired, revoked, or of "
            "another service): run 'headgate login', or set HEADGATE_USER and HEADGATE_TOKEN"
        )


def _passing(reply: httpx2.Response) -> bool:
    """Whether another try may have a better answer.

    So a service says it that is not ready; one that is being stopped, or what stands before it, says no JSON.
    """
    json_ = reply.headers.get("content-type", "").startswith("application/json")
    return reply.status_code == 503 or (reply.status_code >= 500 and not json_)


class _Patience:
    """Pauses between tries, each longer than the one before, until the time for them is over."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._pause_seconds = 0.1

    def seconds_after(self, fault: HeadgateError) -> float:
        """How long to pause before the next try. Raises the fault when there is none."""
        if time.monotonic() > self._until:
            raise fault from None
        self._pause_seconds = min(2 * self._pause_seconds, 2.0)
        return self._pause_seconds
