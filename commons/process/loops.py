"""Rounds of a loop that must not end: what one of them raises is logged, and the next may do better."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from commons.process.errors import HeadgateError

log = logging.getLogger(__name__)


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
