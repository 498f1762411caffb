"""Marks a task that is inside a write transaction, where nothing may wait for another process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_inside: ContextVar[bool] = ContextVar("inside_transaction", default=False)


@contextmanager
def transaction() -> Iterator[None]:
    """Mark the running task until the block ends."""
    mark = _inside.set(True)
    try:
        yield
    finally:
        _inside.reset(mark)


def in_transaction() -> bool:
    """Whether the running task is inside a write transaction."""
    return _inside.get()
