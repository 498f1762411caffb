"""How requests travel: asynchronously, or in coroutines that never wait, which any function can drive.

The client's logic is written once, as coroutines over a wire. `Client` gives them a blocking wire: then each coroutine
runs through without a pause, and `now` and `each` take what it gives.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Coroutine, Iterator
from contextlib import aclosing
from typing import Any, TypeVar

import httpx2

T = TypeVar("T")

# a proxy set for the world outside cannot reach this machine's own services, and must not see their tokens
_OWN_MACHINE = ("all://localhost", "all://127.0.0.1", "all://[::1]")
# each job that is followed holds a connection, and there may be many
_LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=20)
# a batch of log lines is one event, however long the lines are
_LARGEST_EVENT = None


class Waiting:
    """Waits without blocking the event loop."""

    def __init__(self, base_url: str, timeout_seconds: float, transport: httpx2.AsyncBaseTransport | None) -> None:
        self.client = httpx2.AsyncClient(
            base_url=base_url,
            timeout=timeout_seconds,
            transport=transport,
            limits=_LIMITS,
            mounts=dict.fromkeys(_OWN_MACHINE),
        )

    async def send(self, request: httpx2.Request, *, stream: bool = False) -> httpx2.Response:
        """The answer; of a stream its head, then its body is read by `read`, `chunks` or `events`, and ended."""
        return await self.client.send(request, stream=stream)

    async def read(self, reply: httpx2.Response) -> bytes:
        return await reply.aread()

    async def chunks(self, reply: httpx2.Response) -> AsyncGenerator[bytes, None]:
        async for chunk in reply.aiter_bytes():
            yield chunk

    async def events(self, reply: httpx2.Response) -> AsyncGenerator[httpx2.ServerSentEvent, None]:
        async for event in httpx2.EventSource(reply, _LARGEST_EVENT):
            yield event

    async def end(self, reply: httpx2.Response) -> None:
        await reply.aclose()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def close(self) -> None:
        await self.client.aclose()


class Blocking:
    """The same, blocking: its coroutines never wait."""

    def __init__(self, base_url: str, timeout_seconds: float, transport: httpx2.BaseTransport | None) -> None:
        self.client = httpx2.Client(
            base_url=base_url,
            timeout=timeout_seconds,
            transport=transport,
            limits=_LIMITS,
            mounts=dict.fromkeys(_OWN_MACHINE),
        )

    async def send(self, request: httpx2.Request, *, stream: bool = False) -> httpx2.Response:
        return self.client.send(request, stream=stream)

    async def read(self, reply: httpx2.Response) -> bytes:
        return reply.read()

    async def chunks(self, reply: httpx2.Response) -> AsyncGenerator[bytes, None]:
        for chunk in reply.iter_bytes():
            yield chunk

    async def events(self, reply: httpx2.Response) -> AsyncGenerator[httpx2.ServerSentEvent, None]:
        for event in httpx2.EventSource(reply, _LARGEST_EVENT):
            yield event

    async def end(self, reply: httpx2.Response) -> None:
        reply.close()

    async def sleep(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251

    async def close(self) -> None:
        self.client.close()


Wire = Waiting | Blocking


def now(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine over a blocking wire."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    raise RuntimeError("a coroutine over a blocking wire waited")


def each(items: AsyncGenerator[T, None]) -> Iterator[T]:
    """The items of an asynchronous generator over a blocking wire; one that is left early is closed at once."""
    closing = aclosing(items)
    try:
        while True:
            try:
                item = now(anext(items))
            except StopAsyncIteration:
                return
            yield item
    finally:
        now(closing.__aexit__(None, None, None))
