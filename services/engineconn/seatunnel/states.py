"""States of Zeta's jobs on disk: `<job id>` while one runs, `kept/<job id>-<when>` for a later job to go on from.

Zeta removes a job's checkpoints when the job ends or is cancelled, and writes those of a resumed one into the same
folder. So what is kept is a folder of its own; its files are hard links, since Zeta changes none that it has written.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path

from commons.process.errors import Invalid
from protocol import codes

_KEPT = re.compile(r"(\d{1,19})-\d+", re.A)


class States:
    """In the tenant's `folder`. All methods block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def has(self, job_id: int) -> bool:
        """Whether there is a checkpoint of the job to go on from."""
        return _has_checkpoint(self._folder / str(job_id))

    def keep(self, job_id: int) -> str:
        """The job's newest state is kept: its path."""
        kept = self._folder / "kept" / f"{job_id}-{time.time_ns()}"
        _copy(self._folder / str(job_id), kept)
        return str(kept)

    def restore(self, path: str) -> int:
        """The job has what was kept under the path again: its id. Raises Invalid for what is none of this tenant's."""
        kept = Path(path).resolve()
        named = _KEPT.fullmatch(kept.name) if kept.parent == self._folder.resolve() / "kept" else None
        if named is None or int(named[1]) >= 2**63 or not _has_checkpoint(kept):
            raise Invalid(codes.SAVEPOINT_UNUSABLE, f"there is no savepoint of SeaTunnel at {path[:300]}")
        job_id = int(named[1])
        self.drop(job_id)
        _copy(kept, self._folder / named[1])
        return job_id

    def drop(self, job_id: int) -> None:
        """Nothing is left of the job but what is kept; harmless when there is nothing."""
        shutil.rmtree(self._folder / str(job_id), ignore_errors=True)


def _has_checkpoint(folder: Path) -> bool:
    return any(folder.glob("*.ser"))


def _copy(source: Path, target: Path) -> None:
    """Whole or not at all."""
    part = target.with_name(f".{target.name}")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(source, part, copy_function=os.link)
    part.rename(target)
