"""Submits that may be repeated: the same Idempotency-Key of a user leads to the same job for a day."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from commons.database.connections import Database
from commons.process.clock import Clock, to_datetime, to_ms
from commons.process.errors import AlreadyExists, Invalid
from protocol import codes
from services.entrance import store
from services.entrance.wire.jobs import Submit

HEADER = "Idempotency-Key"
LONGEST_KEY = 255
KEPT_MS = 86_400_000


class SubmitKeys:
    """A key is bound to a job's short id before the job is saved, so that a crash in between makes no second job."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def bind(self, user: str, key: str, submit: Submit, short_id: str) -> str:
        """The short id that the key stands for: `short_id`, or the one of an earlier submit.

        Raises AlreadyExists when the earlier submit was another one, Invalid for a key that is none.
        """
        if not (0 < len(key) <= LONGEST_KEY and key.isprintable()):
            what = f"{HEADER} must have 1 to {LONGEST_KEY} printable characters"
            raise Invalid(codes.FIELD_INVALID, what, field=HEADER)
        now, body = self._clock.now_ms(), _digest(_body(submit))
        async with self._db.write() as tx:
            known = await store.submit_key(tx, user, _digest(key))
            if known is not None and to_ms(known.created_at) < now - KEPT_MS:
                await store.delete_submit_key(tx, user, _digest(key))
                known = None
            if known is None:
                await store.insert_submit_key(
                    tx, user=user, key_hash=_digest(key), body_hash=body, short_id=short_id, created_at=to_datetime(now)
                )
                return short_id
        if known.body_hash != body:
            what = f"this {HEADER} was used for another submit; use a new one"
            raise AlreadyExists(codes.NAME_TAKEN, what, field=HEADER)
        return str(known.short_id)

    async def release(self, user: str, key: str) -> None:
        """The submit was refused: the key may be used again."""
        async with self._db.write() as tx:
            await store.delete_submit_key(tx, user, _digest(key))


def _body(submit: Submit) -> str:
    said = asdict(submit)
    said["source"] = {name: value for name, value in submit.source.items() if name != "requestIP"}
    return json.dumps(said, sort_keys=True)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
