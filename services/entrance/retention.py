"""What lets nobody in any more, and keys of submits that may no longer be repeated, leave the tables."""

from __future__ import annotations

from commons.database.connections import Database
from commons.process.clock import Clock, to_datetime
from services.entrance import store
from services.entrance.idempotency import KEPT_MS
from services.entrance.users import DAY_MS

AT_ONCE = 500
TOKENS_KEPT_MS = 7 * DAY_MS
"""An expired token is listed for so long, that its owner sees why it does not work."""


async def remove_old(db: Database, clock: Clock) -> None:
    """Delete them in transactions of some hundred rows; several instances may do so at once."""
    now = clock.now_ms()
    ages = (
        (store.delete_old_sessions, 0),
        (store.delete_old_tokens, TOKENS_KEPT_MS),
        (store.delete_old_submit_keys, KEPT_MS),
    )
    for delete_some, kept_ms in ages:
        deleted = AT_ONCE
        while deleted == AT_ONCE:
            async with db.write() as tx:
                deleted = await delete_some(tx, to_datetime(now - kept_ms), AT_ONCE)
