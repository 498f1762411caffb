"""What a node keeps on disk, and what it makes of what a crash left."""

from __future__ import annotations

from pathlib import Path

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
