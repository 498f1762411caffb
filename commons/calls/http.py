"""The HTTP client for engines' REST doors."""

from __future__ import annotations

import aiohttp


def session(base_url: str, *, timeout_seconds: float = 10.0) -> aiohttp.ClientSession:
    """A session whose paths are relative to `base_url`. Close it, or use it as `async with`."""
    return aiohttp.ClientSession(base_url, timeout=aiohttp.ClientTimeout(total=timeout_seconds))
