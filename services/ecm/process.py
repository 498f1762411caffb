"""Processes: spawn in a group of their own, know them again, watch their exit, end them with their children.

Output goes to files, never to pipes: a pipe would block or kill the engine when this daemon goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from commons.process import faults

# The shim writes the exit code where a restarted daemon, no longer the parent, can read it.
_SHIM = 'trap : TERM; rc=$1; shift; "$@"; code=$?; echo $code > "$rc.tmp"; mv "$rc.tmp" "$rc"; exit $code'
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Identity:
    """A process that can be told from a later one with the same pid."""

    pid: int
    started: int
    boot: str

    def alive(self) -> bool:
        """Whether this very process still runs (a zombie does not)."""
        return self.boot == boot_id() and _started(self.pid) == self.started


@functools.cache
def boot_id() -> str:
    """Of this boot of the machine, which this process does not outlive."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def spawn(argv: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Identity:
    """Start `argv` in `folder` as leader of a session of its own; output in stdout and stderr, exit code in rc."""
    faults.reach("before spawn")
    with (folder / "stdout").open("ab") as out, (folder / "stderr").open("ab") as err:
        process = subprocess.Popen(
            ["/bin/sh", "-c", _SHIM, "engineconn", str(folder / "rc"), *argv],
            cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True,
        )  # fmt: skip
    process.returncode = 0  # reaped by `exited`, not by Popen
    faults.reach("after spawn")
    return Identity(process.pid, _started(process.pid) or 0, boot_id())


async def exited(identity: Identity) -> None:
    """Return when the process is gone."""
    while identity.alive():
        await asyncio.sleep(_POLL_SECONDS)
    _reap(identity.pid)


def exit_code(folder: Path) -> int | None:
    """What the shim wrote, or None when it was killed before."""
    try:
        return int((folder / "rc").read_text())
    except (OSError, ValueError):
        return None


async def end(identity: Identity, grace_seconds: float) -> None:
    """SIGTERM to the group, SIGKILL after `grace_seconds`; children that left the group are killed too."""
    if not identity.alive():
        return
    family = _descendants(identity.pid)
    _signal_group(identity.pid, signal.SIGTERM)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(grace_seconds):
            await exited(identity)
    _signal_group(identity.pid, signal.SIGKILL)
    for child in family:
        with contextlib.suppress(psutil.Error):  # psutil compares the start time before it signals
            child.kill()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(5.0):
            await exited(identity)


def marked(name: str, mark: tuple[str, str]) -> set[str]:
    """The values that the variable `name` has in processes with this mark in their environment."""
    found = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            environment = process.environ()
            if environment.get(mark[0]) == mark[1]:
                found.add(environment.get(name, ""))
    return found


def kill_marked(marks: Mapping[str, str], identity: Identity | None = None) -> None:
    """Kill every process with all the marks in its environment, and what an ended process left in its session.

    A session's number stays its own while anybody is in it; who left it for another still carries the marks.
    """
    session = identity.pid if identity is not None and identity.boot == boot_id() else 0
    if identity is not None and _started(identity.pid) not in (None, identity.started):
        session = 0  # the number belongs to somebody else by now
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError, PermissionError):
            theirs = process.environ()
            is_marked = all(theirs.get(name) == value for name, value in marks.items())
            if is_marked or (session and os.getsid(process.pid) == session):
                process.kill()


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def _started(pid: int) -> int | None:
    """Start time in clock ticks, or None when there is no such process or it is a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
