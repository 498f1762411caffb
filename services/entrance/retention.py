"""What lets nobody in any more, and keys of submits that may no longer be repeated, leave the tables; and files that
are no artifact's leave the storage root."""

from __future__ import annotations

import asyncio
from functools import partial

from commons.database.connections import Database
from commons.process.clock import Clock, to_datetime
from commons.storage import Storage
from protocol import layout
from services.entrance import store, store_artifacts
from services.entrance.idempotency import KEPT_MS
from services.entrance.users import DAY_MS

AT_ONCE = 500
STORED_WITHIN_MS = 3_600_000
"""An artifact's row is there this soon after the last byte of its file."""
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


async def remove_strays(db: Database, clock: Clock, storage: Storage) -> None:
    """Delete what uploads that a crash cut short left, and files of artifacts whose deletion it cut short."""
    today = layout.day_of(clock.now_ms())
    for day in await asyncio.to_thread(storage.list, layout.ARTIFACTS):
        folder = f"{layout.ARTIFACTS}/{day.name}"
        entries = await asyncio.to_thread(partial(storage.list, folder, unfinished=True))
        for start in range(0, len(entries), AT_ONCE):
            old = [e for e in entries[start : start + AT_ONCE] if clock.now_ms() - e.modified_ms > STORED_WITHIN_MS]
            async with db.read() as tx:
                known = await store_artifacts.known_paths(tx, [f"{folder}/{entry.name}" for entry in old])
            for path in {f"{folder}/{entry.name}" for entry in old} - known:
                await asyncio.to_thread(storage.delete, path)
        if not entries and day.name < today:
            await asyncio.to_thread(storage.remove, folder)
