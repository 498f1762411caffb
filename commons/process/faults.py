"""Points at which a test lets a process die, as kill -9 does, or holds it for a while.

`HEADGATE_FAULT=before commit#3` dies before the third commit of the process, and
`after /headgate.ecm.v1.Ecm/RunTask#1` after the first answer of that call. `HEADGATE_HOLD` names a folder: whoever
comes to a call waits before it while the folder holds a file of the call's name, and says so by a file
`<name>.reached`. Without the two nothing happens.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path

_POINT = os.environ.get("HEADGATE_FAULT", "")
_HOLDS = os.environ.get("HEADGATE_HOLD", "")
_reached: Counter[str] = Counter()


def reach(point: str) -> None:
    """Say that the process is at this point."""
    if _POINT:
        _reached[point] += 1
        if f"{point}#{_reached[point]}" == _POINT:
            os.kill(os.getpid(), signal.SIGKILL)


async def hold(call: str) -> None:
    """Wait here for as long as a test wants it."""
    if _HOLDS:
        held = Path(_HOLDS) / call.strip("/").replace("/", ".")
        while held.exists():
            held.with_name(f"{held.name}.reached").touch()
            await asyncio.sleep(0.02)
