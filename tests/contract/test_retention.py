"""Retention on a real database and a real storage root; time is turned by hand."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from commons.database import locks
from commons.storage import Storage
from protocol import layout
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from services.jobhistory import retention
from tests.support.aging import DAY, SWEEP, History, aging


@pytest.fixture
async def history(tmp_path: Path) -> AsyncIterator[History]:
    async with aging(tmp_path) as history:
        yield history


async def test_what_ended_long_ago_is_said_to_go_and_goes_one_sweep_later(history: History) -> None:
    job = await history.job("s1")
    history.clock.turn(30 * DAY - 2 * SWEEP)
    await history.sweep()
    assert await history.removed(job) == ""
    await history.sweep()
    assert await history.removed(job) == "the job's log and results were removed 30 days after its end"
    assert history.folders() == ["s1"], "who reads it now may go on"
    await history.sweep()
    assert history.folders() == []
    found = await history.door.FindJob(pb.FindJobRequest(job_id=job.job_id), None)
    assert (found.status, found.removed.at_ms > found.updated_at_ms) == ("Failed", True)


async def test_age_counts_from_the_end_and_what_runs_is_kept(history: History) -> None:
    running = await history.job("running", 3_000_000, end="")
    history.clock.turn(400 * DAY)
    for _ in range(3):
        await history.sweep(storage_mb=0, history_days=1, result_days=1)
    assert history.folders() == ["running"]
    await history.end(running)
    await history.sweep(history_days=1, result_days=1)
    assert (history.folders(), await history.removed(running)) == (["running"], "")
    for _ in range(3):
        await history.sweep(history_days=1, storage_mb=1)
    assert history.folders() == [] and "1 MiB" in await history.removed(running), "its history is young"


async def test_code_to_run_goes_with_its_job_and_when_none_was_saved(history: History) -> None:
    running, _ = await history.job("running", end=""), await history.job("ended")
    for short in ("running", "ended", "unsaved"):
        history.storage.write(layout.code_to_run(short), b"SELECT 1")
    (history.root / f"{layout.code_to_run('cut')}.part").write_bytes(b"SEL")
    history.clock.turn(time.time() - history.clock.now_ms() / 1000)  # files have the machine's time
    await history.sweep()
    assert [entry.name for entry in history.storage.list(layout.CODE_TO_RUN)] == ["running", "unsaved"]
    history.clock.turn(2 * 3600)
    await history.end(running)
    await history.sweep()
    assert history.storage.list(layout.CODE_TO_RUN, unfinished=True) == []


async def test_history_goes_whole_and_its_ids_are_not_given_again(history: History) -> None:
    first, second = await history.job("s1"), await history.job("s2")
    history.clock.turn(2 * DAY)
    kept = await history.job("s3")
    for _ in range(3):
        await history.sweep(history_days=2)
    for table, column in (
        ("linkis_ps_job_history_group_history", "id"),
        ("headgate_job_event", "job_id"),
        ("headgate_job_files", "job_id"),
    ):
        assert {row[0] for row in history.rows(f"SELECT {column} FROM {table}")} == {kept.job_id}
    assert (history.folders(), kept.job_id > second.job_id > first.job_id) == (["s3"], True)
    history.clock.turn(3 * DAY)
    for _ in range(3):
        await history.sweep(history_days=2)
    assert (await history.job("s4")).job_id == kept.job_id + 1


async def test_details_go_with_their_job(history: History) -> None:
    job = await history.job("s1")
    history.rows(f"INSERT INTO linkis_ps_job_history_detail (job_history_id) VALUES ({job.job_id}), (99)")
    history.clock.turn(9 * DAY)
    for _ in range(3):
        await history.sweep(history_days=2)
    assert history.rows("SELECT job_history_id FROM linkis_ps_job_history_detail") == [(99,)]


async def test_history_waits_for_its_files(history: History) -> None:
    job = await history.job("s1")
    history.clock.turn(300 * DAY)
    await history.sweep()
    assert (await history.removed(job), history.folders()) != ("", [])


@pytest.mark.parametrize(("megabytes", "left"), [(3, ["s2", "s3"]), (2, ["s3"]), (1, []), (5, ["s1", "s2", "s3"])])
async def test_above_its_size_the_first_that_ended_go_first(history: History, megabytes: int, left: list[str]) -> None:
    """The three have 1.2 MB each."""
    early = await history.job("s3", 1_200_000, end="")
    for name in ("s1", "s2"):
        await history.job(name, 1_200_000)
    await history.end(early)
    for _ in range(2):
        await history.sweep(storage_mb=megabytes)
    assert history.folders() == left


async def test_what_runs_counts_and_stays(history: History) -> None:
    for number in range(3):
        await history.job(f"s{number}", 500_000)
    running = await history.job("running", 5_000_000, end="")
    for to in ("Scheduled", "Running"):
        await history.end(running, to)
    for _ in range(2):
        await history.sweep(storage_mb=2)
    assert history.folders() == ["running"]


def locks_taken(history: History) -> int:
    return int(str(history.rows("SELECT seq FROM sqlite_sequence WHERE name = 'linkis_ps_common_lock'")[0][0]))


@pytest.mark.parametrize(("turn_seconds", "turns"), [(0, 8), (60, 2)])
async def test_all_batches_are_done_in_one_sweep(
    history: History, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, turn_seconds: int, turns: int
) -> None:
    caplog.set_level(logging.INFO, "services.jobhistory.retention")
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    monkeypatch.setattr(retention, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(retention, "TURN_SECONDS", turn_seconds)
    for number in range(7):
        await history.job(f"s{number}")
    history.clock.turn(40 * DAY)
    sweeper, before = history.retention(), locks_taken(history)
    for removed in (0, 7):
        history.clock.turn(SWEEP + 1)
        await sweeper.sweep()
        assert len(history.folders()) == 7 - removed
    assert locks_taken(history) - before >= turns, "the lock is given back between turns"
    assert caplog.messages == ["removed what is too old or too much: logs and results of 7 jobs"]


async def test_strays_go_after_a_day_and_what_is_not_ours_stays(history: History) -> None:
    job = await history.job("known", end="")
    day = layout.day_of(history.clock.now_ms())
    for path in (f"{day}/alice/stray", f"{day}/bob/stray", "0-no-day/x/y"):
        history.storage.write(f"jobs/{path}/1/log", b"x")
    sweeper = history.retention()
    await sweeper.sweep()
    assert history.folders() == ["known", "stray", "stray", "y"]
    history.clock.turn(DAY)
    await sweeper.sweep()
    assert "stray" in history.folders(), "its job may come still"
    history.clock.turn(DAY)
    history.storage.write(f"jobs/{layout.day_of(history.clock.now_ms())}/alice/known/1/code", b"of another day")
    await sweeper.sweep()
    assert history.folders() == ["known", "known", "y"], "the other day is too young to tell"
    history.clock.turn(2 * DAY)
    await sweeper.sweep()
    assert [path.parts[-3] for path in history.root.glob("jobs/*/*/known")] == [day]
    assert (history.root / "jobs" / day / "bob").exists(), "a job of that day may write there still"
    await history.end(job, "Cancelled")
    history.clock.turn(40 * DAY)
    for _ in range(3):
        history.clock.turn(2 * DAY)
        await sweeper.sweep()
    assert sorted(path.name for path in (history.root / "jobs").iterdir()) == ["0-no-day"]


async def test_an_empty_day_stays_while_a_job_of_it_may_write_there(history: History) -> None:
    job = await history.job("s1", end="")
    day = history.root / "jobs" / layout.day_of(history.clock.now_ms())
    shutil.rmtree(day / "alice")
    history.clock.turn(3 * DAY)
    await history.sweep()
    assert day.exists()
    await history.end(job)
    await history.sweep()
    assert not day.exists()


async def test_files_of_a_storage_root_that_moved_are_no_strays(history: History, tmp_path: Path) -> None:
    await history.job("s1")
    history.root.rename(tmp_path / "elsewhere")
    history.root = tmp_path / "elsewhere"
    history.storage = Storage(f"file://{history.root}")
    history.clock.turn(3 * DAY)
    await history.sweep()
    assert history.folders() == ["s1"]


async def test_jobs_from_before_the_notes_are_noted(history: History) -> None:
    job = await history.job("s1")
    history.rows("DELETE FROM headgate_job_files")
    history.clock.turn(31 * DAY)
    sweeper = history.retention()
    for _ in range(3):
        history.clock.turn(SWEEP + 1)
        await sweeper.sweep()
    assert (history.folders(), await history.removed(job) != "") == ([], True)


async def test_what_cannot_be_removed_keeps_nothing_else(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck, job = await history.job("stuck"), await history.job("s1")
    remove = history.storage.remove

    def refuse(path: str) -> None:
        if path.endswith("stuck"):
            raise PermissionError(path)
        remove(path)

    monkeypatch.setattr(history.storage, "remove", refuse)
    history.clock.turn(300 * DAY)
    for _ in range(3):
        await history.sweep()
    assert history.rows("SELECT job_req_id FROM linkis_ps_job_history_group_history") == [("stuck",)]
    monkeypatch.undo()
    await history.sweep()
    assert (history.folders(), stuck.job_id < job.job_id) == ([], True)


async def test_one_instance_sweeps(history: History) -> None:
    job = await history.job("s1")
    history.clock.turn(40 * DAY)
    async with locks.held(history.db, "retention", "other") as mine:
        assert mine
        await history.sweep()
    assert await history.removed(job) == ""
    await history.sweep()
    assert await history.removed(job) != ""
    assert history.rows("SELECT * FROM linkis_ps_common_lock") == []


async def test_locks_and_instances_of_the_dead_go(history: History) -> None:
    for name in ("old:1", "holds:1"):
        await history.door.RegisterInstance(pb.RegisterInstanceRequest(instance=name, incarnation="a"), None)
    await history.job("s1", end="")
    history.rows("UPDATE headgate_job_live SET instance = 'holds:1'")
    history.rows(
        "INSERT INTO linkis_ps_common_lock (lock_object, locker, time_out, update_time) VALUES"
        " ('old', 'x', '1000', '2020-01-01 00:00:00'), ('held', 'x', '999999999', CURRENT_TIMESTAMP)"
    )
    history.clock.turn(2 * DAY)
    await history.door.RegisterInstance(pb.RegisterInstanceRequest(instance="new:1", incarnation="a"), None)
    await history.sweep()
    assert history.rows("SELECT name FROM headgate_instance ORDER BY name") == [("holds:1",), ("new:1",)]
    assert history.rows("SELECT lock_object FROM linkis_ps_common_lock") == [("held",)]


async def test_zero_is_for_ever(history: History) -> None:
    await history.job("s1")
    history.clock.turn(9000 * DAY)
    for _ in range(3):
        await history.sweep(history_days=0, result_days=0)
    assert history.folders() == ["s1"]
    for _ in range(3):
        await history.sweep(history_days=30, result_days=0)
    assert (history.folders(), history.rows("SELECT * FROM headgate_job_event")) == ([], [])


async def test_the_service_writes_between_batches(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 5)
    for number in range(100):
        await history.job(f"s{number}")
    history.clock.turn(40 * DAY)
    sweeping = asyncio.create_task(history.sweep())
    saved = 0
    while not sweeping.done():
        await history.job(f"new{saved}")
        saved += 1
    await sweeping
    assert saved > 20
