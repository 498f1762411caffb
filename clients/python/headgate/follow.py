"""Following a job to its end on a terminal or in a pipe."""

from __future__ import annotations

import sys
import time

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from headgate.client import ENDED, POLL_SECONDS, Job
from headgate.show import err

EXIT = {"Succeed": 0, "Failed": 1, "Cancelled": 3, "Timeout": 4}


def follow(job: Job, *, quiet: bool) -> str:
    """The final status. The log goes to stderr, with a bar below it on a terminal and plain lines in a pipe."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    terminal = sys.stderr.isatty()
    line, told = 0, ""
    with Progress(*columns, console=err, disable=not terminal, transient=True) as bar:
        shown = bar.add_task(f"job {job.id}", total=1.0)
        while True:
            status, progress = job.status(), job.progress()
            while not quiet and (lines := job.log(line)):
                for text in lines:
                    err.print(text, markup=False, soft_wrap=True)
                line += len(lines)
            bar.update(shown, completed=progress.fraction, description=f"job {job.id} {status}")
            now = f"job {job.id} {status} {progress.fraction:.0%}"
            if not terminal and now != told:
                err.print(now, markup=False)
                told = now
            if status in ENDED:
                return status
            time.sleep(POLL_SECONDS)


def ask_to_kill(job: Job) -> bool:
    """After Ctrl-C: whether the job shall be killed. Without a terminal it goes on."""
    if not sys.stdin.isatty():
        err.print(f"job {job.id} goes on; to kill it: headgate kill {job.id}")
        return False
    try:
        return input(f"\nKill job {job.id}? [y/N] ").strip().lower().startswith("y")
    except (KeyboardInterrupt, EOFError):
        return False
