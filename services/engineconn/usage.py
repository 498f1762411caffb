"""What the processes of a session use, from /proc."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """Resident memory in bytes and processor time in seconds."""

    memory: int = 0
    cpu_seconds: float = 0.0


def of_session(session: int) -> Usage:
    """The sum over the processes of a session that live now, whatever group they are in."""
    memory, ticks = 0, 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # the second field may hold blanks and brackets, so the fields are counted from its end
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session:
            ticks += int(fields[11]) + int(fields[12])
            memory += int(fields[21]) * _PAGE
    return Usage(memory, ticks / _TICKS)
