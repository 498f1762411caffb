"""Points at which a test lets a process die at once, as kill -9 does. Without HEADGATE_FAULT nothing happens.

`HEADGATE_FAULT=before commit#3` stops before the third commit of the process, and
`after /headgate.ecm.v1.Ecm/RunTask#1` after the first answer of that call.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

_POINT = os.environ.get("HEADGATE_FAULT", "")
_reached: Counter[str] = Counter()


def reach(point: str) -> None:
    """Say that the process is at this point."""
    if _POINT:
        _reached[point] += 1
        if f"{point}#{_reached[point]}" == _POINT:
            os.kill(os.getpid(), signal.SIGKILL)
