"""Requests from many clients at once: each sends its next one when it has its answer, or all at a steady rate."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp


@dataclass(frozen=True)
class Request:
    """What each client sends again and again; without a body it is a GET."""

    url: str
    headers: Mapping[str, str]
    body: bytes | None = None

    async def send(self, session: aiohttp.ClientSession) -> None:
        method = "GET" if self.body is None else "POST"
        async with session.request(method, self.url, data=self.body, headers=self.headers) as reply:
            content = await reply.read()
            if reply.status != 200:
                raise RuntimeError(f"{self.url} answered {reply.status}: {content[:300]!r}")


def rate(request: Request, clients: int, count: int) -> float:
    """Answers per second."""

    async def run() -> float:
        async with _session() as session:
            await asyncio.gather(*(request.send(session) for _ in range(clients)))
            left = iter(range(count))

            async def client() -> None:
                for _ in left:
                    await request.send(session)

            began = time.perf_counter()
            await asyncio.gather(*(client() for _ in range(clients)))
            return count / (time.perf_counter() - began)

    return asyncio.run(run())


def latencies_ms(request: Request, per_second: float, count: int) -> list[float]:
    """How long each answer took, sent at a steady rate however long the others take."""

    async def run() -> list[float]:
        async with _session() as session:
            began = time.perf_counter()

            async def at(seconds: float) -> float:
                await asyncio.sleep(began + seconds - time.perf_counter())
                sent = time.perf_counter()
                await request.send(session)
                return (time.perf_counter() - sent) * 1000

            return await asyncio.gather(*(at(index / per_second) for index in range(count)))

    return asyncio.run(run())


def p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
