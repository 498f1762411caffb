"""Loops that must not end: what one round raises is logged, and the next may do better."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

from commons.process.errors import HeadgateError

log = logging.getLogger(__name__)


async def repeat(
    what: str, round_: Callable[[], Awaitable[None]], pause_seconds: float, first_seconds: float = 0
) -> NoReturn:
    """Rounds for ever, the first after `first_seconds`, with a pause after each; `what` names them in the log."""
    await asyncio.sleep(first_seconds)
    while True:
        await survive(what, round_)
        await asyncio.sleep(pause_seconds)


async def end(*tasks: asyncio.Future[Any] | None) -> None:
    """Cancel all tasks, then wait until they have ended; None stands for one that was never started."""
    started = [task for task in tasks if task is not None]
    for task in started:
        task.cancel()
    for task in started:
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def survive(what: str, round_: Callable[[], Awaitable[None]]) -> bool:
    """Whether the round ended well; `what` names it in the log."""
    try:
        await round_()
    except HeadgateError as error:
        log.warning("%s: %s", what, error)
    except Exception:
        log.exception("%s failed; it goes on with the next round", what)
    else:
        return True
    return False
