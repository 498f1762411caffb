"""What sinks took in, as task managers write it to a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.engineconn.flink import standalone


def test_the_last_counts_of_each_subtask_are_summed_and_the_file_begins_anew(tmp_path: Path) -> None:
    file = tmp_path / "rows"
    file.write_text("a sink0\na sink1\nb sink0\na sink0 3\na sink0\nb sink0 9\na sink1 4\na sink0 5\n")
    assert standalone.rows_written(file, "a") == 9
    assert file.read_text() == "" and standalone.rows_written(file, "a") is None


def test_a_count_that_does_not_come_is_not_waited_for_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standalone, "COUNTS_SECONDS", 0.1)
    (tmp_path / "rows").write_text("a sink0\na sink1\na sink1 4\n")
    assert standalone.rows_written(tmp_path / "rows", "a") == 4
    assert standalone.rows_written(tmp_path / "none", "a") is None
