"""Savepoints and checkpoints on disk: the newest complete one, and what a job may go on from."""

from __future__ import annotations

from pathlib import Path

from services.engineconn.flink.states import States


def kept(folder: Path, *, complete: bool = True) -> Path:
    folder.mkdir(parents=True)
    if complete:
        (folder / "_metadata").touch()
    return folder


def test_the_newest_complete_checkpoint_by_its_number(tmp_path: Path) -> None:
    states = States(tmp_path, [tmp_path])
    for number, complete in ((9, True), (10, True), (11, False)):
        kept(tmp_path / "checkpoints" / "job" / f"chk-{number}", complete=complete)
    assert states.newest_checkpoint("job") == f"file:{tmp_path}/checkpoints/job/chk-10"
    assert states.newest_checkpoint("other") == ""
    states.tidy("job")
    assert (tmp_path / "checkpoints" / "job").is_dir()


def test_a_job_without_checkpoints_leaves_no_folder(tmp_path: Path) -> None:
    states = States(tmp_path, [tmp_path])
    kept(tmp_path / "checkpoints" / "job" / "chk-1", complete=False)
    states.tidy("")
    states.tidy("job")
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_what_a_job_cannot_go_on_from(tmp_path: Path) -> None:
    states = States(tmp_path / "alice", [tmp_path / "alice"])
    own, other = kept(tmp_path / "alice" / "s1"), kept(tmp_path / "bob" / "s1")
    (tmp_path / "alice" / "link").symlink_to(other)
    for path in (f"file:{own}", f"file://{own}", str(own), f"{own}/_metadata"):
        assert states.refusal(path) is None
    assert "there is no savepoint" in str(states.refusal(f"file:{tmp_path}/alice/s2"))
    for path in (f"file:{other}", f"{own}/../../bob/s1", str(tmp_path / "alice" / "link")):
        assert "lies outside" in str(states.refusal(path))
