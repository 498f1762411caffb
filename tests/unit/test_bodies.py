"""Bodies that drip, and more bodies than there is room for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from fastapi import Request

from commons.process.errors import TooLarge, Unavailable
from services.entrance.api import bodies
from services.entrance.api.bodies import TooSlow, bounded, json_object


def request(chunks: AsyncIterator[bytes], **headers: str) -> Request:
    async def receive() -> dict[str, object]:
        chunk = await anext(chunks, None)
        return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}

    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": named}, receive)


async def drops(count: int, every_seconds: float, size: int = 1) -> AsyncIterator[bytes]:
    for _ in range(count):
        await asyncio.sleep(every_seconds)
        yield b" " * size


async def test_a_body_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "LONGEST_READ_SECONDS", 0.2)
    with pytest.raises(TooSlow, match="the body did not come within") as caught:
        await json_object(request(drops(10_000, 0.01)))
    assert (caught.value.http_status, caught.value.field) == (408, "body")


async def test_an_upload_may_take_longer_but_not_fall_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "LONGEST_READ_SECONDS", 0.2)
    assert len([chunk async for chunk in bounded(request(drops(30, 0.01)), 100, "file") if chunk]) == 30
    with pytest.raises(TooSlow, match="the file did not come within"):
        async for _ in bounded(request(drops(2, 600)), 100, "file"):
            pass


async def test_what_is_told_to_be_too_large_is_not_read() -> None:
    with pytest.raises(TooLarge, match="the body is over 100 bytes"):
        await json_object(request(drops(2, 600), content_length="101"), largest=100)


async def test_all_bodies_together_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "LARGEST_AT_ONCE", 1000)
    reading = [asyncio.create_task(json_object(request(drops(20, 0.02, 30)), may_lack=True)) for _ in range(3)]
    ends = await asyncio.gather(*reading, return_exceptions=True)
    refused = [end for end in ends if isinstance(end, Unavailable)]
    assert 1 <= len(refused) < 3 and refused[0].code == 100020 and ends.count({}) == 3 - len(refused)
    assert await json_object(request(drops(20, 0, 30)), may_lack=True) == {}
