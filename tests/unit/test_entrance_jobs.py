"""Texts as users send them are looked through for secrets where they hold up nobody else, and only as far as needed."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from commons.process import masking
from commons.process.clock import SystemClock
from commons.process.errors import Invalid
from commons.storage import Storage
from protocol import codes
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from services.entrance.jobs import LONGEST_OBSERVE_INFO, Jobs
from services.entrance.users import Asker
from services.entrance.wire.jobs import Submit
from services.jobhistory.tables import GROUP

ALICE = Asker("alice", is_admin=False)
CODE = "PASSWORD=hunter2222\n" * 100


class Refusing:
    """An intake that takes nothing, and tells the code in saying so; a history that keeps all."""

    offered = frozenset(["shell"])

    def __init__(self) -> None:
        self.saved: list[pb.SaveJobHistoryRequest] = []

    def accept(self, submit: Submit, *_: object) -> None:
        raise Invalid(codes.FIELD_INVALID, f"not taken: {submit.code}", field="code")

    async def SaveJobHistory(self, request: pb.SaveJobHistoryRequest) -> pb.Job:
        self.saved.append(request)
        return pb.Job(job_id=1, short_id=request.short_id, status="Failed", live=pb.LiveJob())


@pytest.fixture
def refusing() -> Refusing:
    return Refusing()


@pytest.fixture
def jobs(refusing: Refusing, tmp_path: Path) -> Jobs:
    parts: Any = refusing
    instance: Any = SimpleNamespace(name="h:1", held=lambda key: None)
    keys: Any = None
    logs: Any = None
    savepoints: Any = None
    artifacts: Any = None
    storage = Storage(f"file://{tmp_path}")
    return Jobs(parts, parts, keys, instance, logs, savepoints, storage, SystemClock(), artifacts)


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The threads in which a text of more than a line was looked through."""
    threads: set[int] = set()
    find = masking._find

    def noted(text: str) -> object:
        if len(text) > LONGEST_OBSERVE_INFO:
            threads.add(threading.get_ident())
        return find(text)

    monkeypatch.setattr(masking, "_find", noted)
    return threads


async def test_what_is_refused_is_masked_in_another_thread(jobs: Jobs, refusing: Refusing, looked: set[int]) -> None:
    with pytest.raises(Invalid):
        await jobs.submit(Submit(CODE, "sh" * 1000, "shell", "alice", "IDE"), ALICE)
    assert looked and threading.get_ident() not in looked
    (saved,) = refusing.saved
    assert saved.refusal.error_desc.startswith("not taken: PASSWORD=***\n")
    assert "hunter" not in saved.refusal.error_desc + saved.execution_code


async def test_whom_to_notify_is_not_looked_through_when_it_is_too_long(jobs: Jobs, looked: set[int]) -> None:
    assert GROUP.c.observe_info.type.length == LONGEST_OBSERVE_INFO  # type: ignore[attr-defined]
    with pytest.raises(Invalid, match="observe_info is longer than 500 bytes"):
        await jobs.observe(pb.Job(job_id=1), "é" * (LONGEST_OBSERVE_INFO // 2) + "x")
    with pytest.raises(Invalid):
        await jobs.observe(pb.Job(job_id=1), CODE)
    assert not looked
