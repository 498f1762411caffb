"""The HTTP client: for engines' REST doors, and for files from elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import aiohttp
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from commons.process.masking import masked

Session = aiohttp.ClientSession

_PIECE = 1 << 18
_ATTEMPTS = 3
_LONGEST_PAUSE_SECONDS = 2.0
_CONNECT_SECONDS, _SILENT_SECONDS = 20.0, 60.0


class Failed(Exception):
    """What was asked for did not come; `status` is the answer's, 0 when none came whole."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def session(base_url: str, *, timeout_seconds: float = 10.0) -> aiohttp.ClientSession:
    """A session whose paths are relative to `base_url`. Close it, or use it as `async with`."""
    return aiohttp.ClientSession(base_url, timeout=aiohttp.ClientTimeout(total=timeout_seconds))


async def download(
    session: aiohttp.ClientSession, path: str, file: Path, told: Callable[[int], None] = lambda _: None
) -> None:
    """The body in `file`, whole, however long it takes unless it falls silent; `told` hears of bytes as they come.

    What breaks on the way is tried again from the start, and `told` hears a negative number. Raises Failed.
    """
    tries = AsyncRetrying(
        stop=stop_after_attempt(_ATTEMPTS),
        wait=wait_random_exponential(max=_LONGEST_PAUSE_SECONDS),
        retry=retry_if_exception(lambda error: isinstance(error, Failed) and not 0 < error.status < 500),
        reraise=True,
    )
    async for attempt in tries:
        with attempt:
            await _download(session, path, file, told)


async def _download(session: aiohttp.ClientSession, path: str, file: Path, told: Callable[[int], None]) -> None:
    limits = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=_SILENT_SECONDS)
    have = 0
    try:
        async with session.get(path, timeout=limits) as reply:
            if reply.status != 200:
                raise Failed(reply.status, f"the answer was {reply.status} {reply.reason}")
            with file.open("wb") as sink:
                async for piece in reply.content.iter_chunked(_PIECE):
                    sink.write(piece)
                    have += len(piece)
                    told(len(piece))
    except (aiohttp.ClientError, TimeoutError) as error:
        told(-have)
        raise Failed(0, masked(str(error)) or "no answer in time") from None
