"""States that jobs go on from, on disk: savepoints and checkpoints, which outlive the engine."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

_CHECKPOINT = re.compile(r"^chk-(\d+)$")
METADATA = "_metadata"


class States:
    """`folder` is the tenant's own; jobs may go on from states in `reached` folders."""

    def __init__(self, folder: Path, reached: Sequence[Path]) -> None:
        self._folder = folder
        self._reached = reached

    def newest_checkpoint(self, job_id: str) -> str:
        """The newest complete one that a job kept, as Flink writes it; empty when there is none."""
        kept = self._folder / "checkpoints" / job_id
        numbers = [int(match[1]) for one in kept.glob("chk-*") if (match := _CHECKPOINT.match(one.name))]
        for number in sorted(numbers, reverse=True):
            if (kept / f"chk-{number}" / METADATA).is_file():  # one that was cut short lacks it
                return f"file:{kept}/chk-{number}"
        return ""

    def tidy(self, job_id: str) -> None:
        """Remove what Flink leaves of a job that kept no checkpoint."""
        kept = self._folder / "checkpoints" / job_id
        if job_id and not self.newest_checkpoint(job_id):
            shutil.rmtree(kept, ignore_errors=True)

    def refusal(self, path: str) -> str | None:
        """Why a job cannot go on from this state, or None. Flink would leave a failed job behind."""
        folder = _folder(path)
        if not any(folder.is_relative_to(root.resolve()) for root in self._reached):
            return f"savepoint {path[:300]} lies outside of what your jobs reach; choose one of your own"
        if not (folder / METADATA).is_file():
            return f"there is no savepoint at {path[:300]}: it has no file {METADATA}; choose one that is listed"
        return None


def metadata(path: str) -> Path:
    """The file that tells what a savepoint holds."""
    return _folder(path) / METADATA


def _folder(path: str) -> Path:
    folder = Path(path.removeprefix("file://").removeprefix("file:"))
    return (folder.parent if folder.name == METADATA else folder).resolve()
