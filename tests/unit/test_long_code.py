"""Code too long for a row: what a crash left of it is swept, what is needed stays."""

from __future__ import annotations

import os
from pathlib import Path

from commons.process.errors import NotFound
from commons.storage import Storage
from protocol import codes, layout
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from services.entrance import long_code

NOW_MS = 1_800_000_000_000


class Clock:
    def now_ms(self) -> int:
        return NOW_MS


class JobHistory:
    async def FindJob(self, request: pb.FindJobRequest) -> pb.Job:
        if request.short_id.startswith("unknown"):
            raise NotFound(codes.JOB_UNKNOWN, "no such job")
        return pb.Job(live=pb.LiveJob() if request.short_id == "runs" else None)


async def test_only_the_code_of_jobs_that_may_still_run_stays(tmp_path: Path) -> None:
    storage = Storage(f"file://{tmp_path}")
    for name, age_ms in {"runs": 0, "ended": 0, "unknown_new": 60_000, "unknown_old": 7_200_000}.items():
        storage.write(long_code.path_of(name), b"PASSWORD=x")
        changed = (NOW_MS - age_ms) / 1000
        os.utime(tmp_path / layout.CODE_TO_RUN / name, (changed, changed))
    await long_code.sweep(storage, JobHistory(), Clock())  # type: ignore[arg-type]
    assert sorted(path.name for path in (tmp_path / layout.CODE_TO_RUN).iterdir()) == ["runs", "unknown_new"]


async def test_a_file_goes_with_what_a_crash_cut_short_and_twice_is_once(tmp_path: Path) -> None:
    storage = Storage(f"file://{tmp_path}")
    path = long_code.path_of("job")
    storage.write(path, b"x")
    (tmp_path / f"{path}.part").write_bytes(b"PASSW")
    for _ in range(2):
        await long_code.drop(path, storage)
    assert list((tmp_path / layout.CODE_TO_RUN).iterdir()) == []
