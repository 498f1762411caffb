"""How the node's daemon looks at a task's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from commons.storage import Storage
from services.ecm import tasks


class _Enough(Exception):
    pass


async def test_a_task_is_looked_at_soon_while_it_talks_and_seldom_when_it_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, waits = 0.0, []

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        waits.append(seconds)
        if now > 10:
            raise _Enough

    monkeypatch.setattr(tasks.asyncio, "sleep", sleep)
    monkeypatch.setattr(tasks.time, "monotonic", lambda: now)
    folder = tasks.TaskFolder(tmp_path / "task", Storage(f"file://{tmp_path}/storage"), "jobs/1", lambda: None)
    with pytest.raises(_Enough):
        async for _ in folder.watch(0):
            pass
    assert waits == sorted(waits)
    assert waits[0] == tasks.SOON_SECONDS and waits[-1] == tasks.LATER_SECONDS
    assert all(wait <= tasks.SOON_SECONDS + 0.1 * sum(waits[:i]) for i, wait in enumerate(waits))
