"""Following a job to its end on a terminal or in a pipe."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from headgate.client import ENDED, POLL_SECONDS, Job
from headgate.show import err, say

EXIT = {"Succeed": 0, "Failed": 1, "Cancelled": 3, "Timeout": 4}


class Follower:
    """Shows a job's log on stderr, with a bar below it on a terminal and plain lines in a pipe; no line twice."""

    def __init__(self, job: Job, *, quiet: bool) -> None:
        self._job = job
        self._quiet = quiet
        self._line = 0
        self._told = ""

    def to_end(self) -> str | None:
        """The final status, or None when the user pressed Ctrl-C and the job goes on without him."""
        while (status := self._to_end()) is None:
            if not _asked_to_kill(self._job):
                say(
                    f"job {self._job.id} goes on; to follow it: headgate log -f {self._job.id}, "
                    f"for its results: headgate results {self._job.id}, to kill it: headgate kill {self._job.id}"
                )
                return None
            self._job.kill()
        return status

    def _to_end(self) -> str | None:
        """The final status, or None at Ctrl-C."""
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
        )
        terminal = sys.stderr.isatty()
        with _ctrl_c() as pressed, Progress(*columns, console=err, disable=not terminal, transient=True) as bar:
            shown = bar.add_task(f"job {self._job.id}", total=1.0)
            while not pressed:
                status, progress = self._job.status(), self._job.progress()
                self._show_log()
                bar.update(shown, completed=progress.fraction, description=f"job {self._job.id} {status}")
                now = f"job {self._job.id} {status} {progress.fraction:.0%}"
                if not terminal and now != self._told:
                    say(now)
                    self._told = now
                if status in ENDED:
                    return status
                time.sleep(POLL_SECONDS)
        return None

    def _show_log(self) -> None:
        while not self._quiet and (lines := self._job.log(self._line)):
            for text in lines:
                say(text)
            self._line += len(lines)


@contextmanager
def _ctrl_c() -> Iterator[list[int]]:
    """Filled when Ctrl-C is pressed, so that no line is shown half or twice; pressed again, it ends the wait too."""
    pressed: list[int] = []

    def press(number: int, frame: object) -> None:
        pressed.append(number)
        if len(pressed) > 1:
            raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:  # a job in the background is not asked
        signal.signal(signal.SIGINT, press)
    try:
        with suppress(KeyboardInterrupt):
            yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


def _asked_to_kill(job: Job) -> bool:
    """Whether the user wants the job killed; without a terminal nobody can be asked, and it goes on."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    try:
        say(f"\nKill job {job.id}? [y/N] ", end="")
        return sys.stdin.readline().strip().lower() in ("y", "yes")
    except KeyboardInterrupt:
        return False
