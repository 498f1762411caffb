"""Events from the work that makes them to whoever reads a task."""

from __future__ import annotations

import asyncio

from services.engineconn.engine import Event


async def next_event(events: asyncio.Queue[Event], working: asyncio.Task[None]) -> Event:
    """The next event; raises what the work failed of."""
    getting = asyncio.ensure_future(events.get())
    try:
        await asyncio.wait({getting, working}, return_when=asyncio.FIRST_COMPLETED)
        if not getting.done() and events.empty():
            working.result()
        return await getting
    finally:
        getting.cancel()
