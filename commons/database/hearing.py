"""For how long the database has been heard: silence is judged only by who could hear."""

from __future__ import annotations

from commons.database.connections import Database
from commons.process.clock import Clock


class Hearing:
    """Begins with its making, and again whenever a transaction of this process has failed."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._since_ms = clock.now_ms()
        self._failures = db.failures

    def ms(self) -> int:
        """Milliseconds without a break, up to now."""
        now = self._clock.now_ms()
        if self._failures != self._db.failures:
            self._failures, self._since_ms = self._db.failures, now
        return now - self._since_ms
