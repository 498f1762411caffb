"""Wrong passwords: who tries too often from one place waits; nobody else does, and nothing grows without bound."""

from __future__ import annotations

import asyncio
import ipaddress
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from commons.process.clock import Clock
from commons.process.errors import Exhausted
from protocol import codes

FORGOTTEN_SECONDS = 900
MOST_KEPT = 10_000
LONGEST_KEY = 21
"""One character more than a user's name may have."""


@dataclass(frozen=True, slots=True)
class Patience:
    """So many wrong tries cost nothing; from then on each doubles the wait for the next."""

    free: int
    longest_seconds: int


BY_USER = Patience(5, 60)
BY_ADDRESS = Patience(100, 5)


@dataclass(slots=True)
class _Record:
    failures: int = 0
    last_ms: int = 0
    was_right: bool = False
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Tries:
    """Tries are counted by user and address, so that nobody can lock a user out from elsewhere; and by address alone,
    which whoever was right from there before does not feel."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._records: OrderedDict[tuple[str, str], _Record] = OrderedDict()

    async def is_right(self, name: str, address: str, verify: Callable[[], Awaitable[bool]]) -> bool:
        """What `verify` says, asked one by one of a user and address. Raises Exhausted when it is too soon to ask."""
        place = _network(address)
        by_user, by_address = self._record(name[:LONGEST_KEY], place), self._record("", place)
        async with by_user.turn:
            self._check(by_user, BY_USER)
            if not by_user.was_right:
                self._check(by_address, BY_ADDRESS)
            if await verify():
                by_user.failures, by_user.was_right = 0, True
                return True
            for record in (by_user, by_address):
                record.failures, record.last_ms = record.failures + 1, self._clock.now_ms()
            return False

    def _record(self, name: str, place: str) -> _Record:
        record = self._records.setdefault((name, place), _Record())
        self._records.move_to_end((name, place))
        if record.last_ms < self._clock.now_ms() - FORGOTTEN_SECONDS * 1000:
            record.failures = 0
        while len(self._records) > MOST_KEPT:
            self._records.popitem(last=False)
        return record

    def _check(self, record: _Record, patience: Patience) -> None:
        more = record.failures - patience.free
        if more < 0:
            return
        wait_seconds = min(patience.longest_seconds, 2 ** min(more, 30))
        left_ms = record.last_ms + wait_seconds * 1000 - self._clock.now_ms()
        if left_ms > 0:
            seconds = math.ceil(left_ms / 1000)
            what = f"too many wrong passwords came from your address; try again in {seconds} s"
            refused = Exhausted(codes.TOO_MANY_TRIES, what, field="password")
            refused.retry_seconds = seconds
            raise refused


def _network(address: str) -> str:
    """Who has one IPv6 address has all of its /64."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network(f"{parsed}/64", strict=False)) if parsed.version == 6 else address
