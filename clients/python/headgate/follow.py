"""Following a job to its end on a terminal or in a pipe."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import Self, TypeVar

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from headgate.client import Job
from headgate.show import err, say
from headgate.values import Update

T = TypeVar("T")
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
        updates = self._job.watch(self._line)
        with _CtrlC() as ctrl_c, Progress(*columns, console=err, disable=not terminal, transient=True) as bar:
            shown = bar.add_task(f"job {self._job.id}", total=1.0)
            while update := ctrl_c.during(lambda: next(updates)):
                self._show(update, terminal)
                fraction = update.progress.fraction
                bar.update(shown, completed=fraction, description=f"job {self._job.id} {update.status}")
                if update.ended:
                    return update.status
        return None

    def _show(self, update: Update, terminal: bool) -> None:
        if not self._quiet:
            for text in update.lines:
                say(text)
        self._line = update.line
        now = f"job {self._job.id} {update.status} {update.progress.fraction:.0%}"
        if not terminal and now != self._told:
            say(now)
            self._told = now


class _CtrlC:
    """Ctrl-C ends what is waited for at once, and what is being shown when it is shown: no line is half or twice."""

    def __init__(self) -> None:
        self._pressed = self._waits = False

    def during(self, wait: Callable[[], T]) -> T | None:
        """What `wait` gives, or None when Ctrl-C was or is pressed; then what it gave, if it did, may be lost."""
        try:
            self._waits = True
            found = None if self._pressed else wait()
            self._waits = False
            return None if self._pressed else found
        except KeyboardInterrupt:
            return None
        finally:
            self._waits = False

    def __enter__(self) -> Self:
        self._before = signal.getsignal(signal.SIGINT)
        if self._before is not signal.SIG_IGN:  # a job in the background is not asked
            signal.signal(signal.SIGINT, self._press)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        signal.signal(signal.SIGINT, self._before)
        return kind is KeyboardInterrupt

    def _press(self, number: int, frame: object) -> None:
        again, self._pressed = self._pressed, True
        if self._waits or again:
            raise KeyboardInterrupt


def _asked_to_kill(job: Job) -> bool:
    """Whether the user wants the job killed; without a terminal nobody can be asked, and it goes on."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    try:
        say(f"\nKill job {job.id}? [y/N] ", end="")
        return sys.stdin.readline().strip().lower() in ("y", "yes")
    except KeyboardInterrupt:
        return False
