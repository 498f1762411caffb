"""What a node keeps on disk, and what it makes of what a crash left."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from commons.process.errors import Unavailable
from services.ecm.ledger import EngineEntry, Ledger


def test_a_folder_in_which_nothing_was_started_goes_and_all_others_stay(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.folder("kept").mkdir()
    ledger.save(EngineEntry("kept"))
    (ledger.folder("half") / "tasks").mkdir(parents=True)
    again = Ledger(tmp_path)
    assert (list(again.engines), again.folder("half").exists()) == (["kept"], False)
    (ledger.folder("kept") / "state.json").write_text("{ cut")
    assert list(Ledger(tmp_path).engines) == [] and ledger.folder("kept").exists(), "a person may look at it"


def test_an_epoch_counts_once_it_is_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    ledger = Ledger(tmp_path)
    with monkeypatch.context() as patched, pytest.raises(Unavailable, match=f"no room left on the disk of {tmp_path}"):
        patched.setattr(os, "fsync", full)
        ledger.raise_epoch(1, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["engines"]
    assert ledger.raise_epoch(1, 2) and not Ledger(tmp_path).raise_epoch(1, 1)
