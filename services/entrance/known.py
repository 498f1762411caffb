"""Who has shown a moment ago who he is: for him no row is read again. What changes here forgets everybody at once."""

from __future__ import annotations

import time
from typing import Generic, TypeVar

Who = TypeVar("Who")

KNOWN_SECONDS = 1.0
"""A change that another entrance makes is seen after this long."""
MOST = 10_000


class Known(Generic[Who]):
    """By what was shown. `learn` takes the `version` from before the rows were read, so that it learns nothing old."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Who, float]] = {}
        self.version = 0

    def find(self, shown: str) -> Who | None:
        who, until = self._known.get(shown, (None, 0.0))
        return who if time.monotonic() < until else None

    def learn(self, shown: str, who: Who, version: int, at_most_seconds: float = KNOWN_SECONDS) -> None:
        if version != self.version:
            return
        now = time.monotonic()
        while self._known and (next(iter(self._known.values()))[1] <= now or len(self._known) >= MOST):
            del self._known[next(iter(self._known))]
        self._known.pop(shown, None)  # the oldest stay in front
        self._known[shown] = who, now + min(at_most_seconds, KNOWN_SECONDS)

    def forget(self) -> None:
        """Rows of users, tokens or log-ins have changed."""
        self._known.clear()
        self.version += 1
