"""Identifiers."""

from __future__ import annotations

import secrets
import time

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_EPOCH_MS = 1_704_067_200_000  # 2024-01-01; 41 bits from there last until 2093
_PROCESS = secrets.randbelow(1 << 10)
_last = 0


def time_ordered() -> str:
    """12 base-36 characters that sort by time of making and never repeat in this process.

    41 bits of milliseconds, 10 bits drawn by the process, 11 bits counted. Two processes may collide: whoever stores
    the id keeps it unique.
    """
    global _last
    now = (time.time_ns() // 1_000_000 - _EPOCH_MS) << 11
    _last = max(_last + 1, now)
    milliseconds, count = _last >> 11, _last & 0x7FF
    return _base36((milliseconds << 21) | (_PROCESS << 11) | count)


def random_hex(bits: int = 128) -> str:
    """A random identifier that nobody can guess."""
    return secrets.token_hex(bits // 8)


def _base36(number: int) -> str:
    characters = []
    for _ in range(12):
        number, digit = divmod(number, 36)
        characters.append(_DIGITS[digit])
    return "".join(reversed(characters))
