"""Whose turn it is. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from protocol.values import Tenant
from services.manager.rows import Queue


def next_turn(queues: Iterable[Queue], running: Mapping[Tenant, int]) -> Queue:
    """The tenant with the fewest running jobs is next, and of its requests the oldest."""
    return min(queues, key=lambda queue: (running.get(queue.tenant, 0), queue.oldest))
