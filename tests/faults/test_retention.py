"""A process that removes what is old dies before or after one of its commits: nothing is half, and the next goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.aging import DAY, SWEEP, aging

KEPT = {"history_days": 20, "result_days": 10}
SWEEPER = f"""
import asyncio, sys
from pathlib import Path
from tests.support.aging import aging

async def main():
    async with aging(Path(sys.argv[1])) as history:
        history.clock.turn(float(sys.argv[2]))
        print("sweeps", flush=True)
        await history.sweep(**{KEPT})

asyncio.run(main())
"""
START_COMMITS = 4
"""What `aging` commits: the schema, under its lock. Then the sweep takes its own, and does three steps."""
POINTS = [f"{when} commit#{START_COMMITS + n}" for n in range(2, 5) for when in ("before", "after")]


@pytest.mark.parametrize("point", POINTS)
async def test_a_death_leaves_nothing_half(tmp_path: Path, point: str) -> None:
    async with aging(tmp_path) as history:
        begin_ms = history.clock.now_ms()
        await history.job("history")
        history.clock.turn(9 * DAY)
        await history.job("removing")
        history.clock.turn(DAY)
        await history.job("old")
        await history.job("running", end="")
        history.clock.turn(DAY)
        for _ in range(2):
            await history.sweep(**KEPT)
        history.clock.turn(8.5 * DAY)
        await history.sweep(**KEPT)
        history.clock.turn(DAY)
        seconds = (history.clock.now_ms() - begin_ms) / 1000
    environment = {**os.environ, "HEADGATE_FAULT": point}
    argv = [sys.executable, "-c", SWEEPER, str(tmp_path), str(seconds)]
    done = await asyncio.to_thread(subprocess.run, argv, env=environment, cwd=ROOT, capture_output=True)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, b"sweeps\n"), done.stderr.decode()

    async with aging(tmp_path) as history:
        history.clock.turn(seconds + SWEEP)
        rows = dict(history.rows("SELECT job_req_id, state FROM headgate_job_files LEFT JOIN "
                                 "linkis_ps_job_history_group_history ON id = job_id"))  # fmt: skip
        assert None not in rows, "no note of a job without its row"
        for name, state in rows.items():
            assert state != "kept" or name in history.folders(), "what is gone is said to go"
            assert state != "removed" or name not in history.folders()
        history.rows("UPDATE linkis_ps_common_lock SET update_time = '2020-01-01 00:00:00'")  # its lease runs out
        for _ in range(3):
            await history.sweep(**KEPT)
        assert history.folders() == ["running"]
        known = history.rows("SELECT job_req_id FROM linkis_ps_job_history_group_history ORDER BY id")
        assert known == [("removing",), ("old",), ("running",)]
        assert history.rows("SELECT count(*) FROM headgate_job_event WHERE job_id = 1") == [(0,)]
