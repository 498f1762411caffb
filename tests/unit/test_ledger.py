"""What a node keeps on disk, and what it makes of what a crash left."""

from __future__ import annotations

import errno
import os
from io import FileIO
from pathlib import Path

import pytest

from commons.process.errors import Unavailable
from services.ecm.ledger import KEPT, LONGEST, EngineEntry, Ledger, TaskEntry


def test_a_folder_in_which_nothing_was_started_goes_and_all_others_stay(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.folder("kept").mkdir()
    ledger.save(EngineEntry("kept"))
    (ledger.folder("half") / "tasks").mkdir(parents=True)
    again = Ledger(tmp_path)
    assert (list(again.engines), again.folder("half").exists()) == (["kept"], False)
    (ledger.folder("kept") / "state.json").write_text("{ cut")
    assert list(Ledger(tmp_path).engines) == [] and ledger.folder("kept").exists(), "a person may look at it"


async def test_an_epoch_counts_once_it_is_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    ledger = Ledger(tmp_path)
    assert ledger.raise_epoch(7, 1)
    with monkeypatch.context() as patched, pytest.raises(Unavailable, match=f"no room left on the disk of {tmp_path}"):
        patched.setattr("services.ecm.ledger.FileIO", NoRoom)
        ledger.raise_epoch(1, 2)
    with monkeypatch.context() as patched, pytest.raises(Unavailable, match="no room left"):
        patched.setattr(os, "fsync", full)
        await ledger.synced()
    assert ledger.raise_epoch(1, 2) and not ledger.raise_epoch(1, 1)
    await ledger.synced()
    assert Ledger(tmp_path).epochs == {"7": 1, "1": 2}


class NoRoom(FileIO):
    """A file on a full disk, which takes half of what it is given."""

    def write(self, content: bytes) -> int:
        return super().write(content[: len(content) // 2])


async def test_what_was_said_of_tasks_is_known_to_the_next(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.folder("e1").mkdir()
    ledger.save(EngineEntry("e1"))
    for name in ("1-1", "2-1", "3-1"):
        ledger.hand_over(name, TaskEntry("e1", f"jobs/{name}"))
    ledger.close("1-1")
    ledger.take_back("2-1")
    ledger.bury("e0", "9-1")
    with (tmp_path / "ledger.jsonl").open("a") as file:
        file.write('{"closed": ["3')  # a crash cut it short
    for again in (Ledger(tmp_path), Ledger(tmp_path)):
        assert again.engines["e1"].tasks == {"3-1": TaskEntry("e1", "jobs/3-1")}
        assert (list(again.closed), list(again.terminated)) == (["1-1", "9-1"], ["e0"])


async def test_the_file_does_not_grow_for_ever(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    for job in range(LONGEST + 10):
        ledger.raise_epoch(job, 1)
    await ledger.synced()
    assert (tmp_path / "ledger.jsonl").read_text().count("\n") < 10
    ledger.close("1-1")
    await ledger.synced()
    again = Ledger(tmp_path)
    assert (len(again.epochs), str(LONGEST + 9) in again.epochs, list(again.closed)) == (KEPT, True, ["1-1"])
