"""Marks a task that is inside a write transaction: nothing may wait for another process there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_inside: ContextVar[list[Callable[[], object]] | None] = ContextVar("inside_transaction", default=None)


@contextmanager
def transaction() -> Iterator[None]:
    """Mark the running task until the block ends; when it ends well, do what was put off until then."""
    after: list[Callable[[], object]] = []
    mark = _inside.set(after)
    try:
        yield
    finally:
        _inside.reset(mark)
    for act in after:
        act()


def in_transaction() -> bool:
    """Whether the running task is inside a write transaction."""
    return _inside.get() is not None


def after_commit(act: Callable[[], object]) -> None:
    """Do this once the running transaction is committed, and not when it is rolled back; at once outside of one."""
    after = _inside.get()
    if after is None:
        act()
    else:
        after.append(act)
