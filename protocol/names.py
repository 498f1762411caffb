"""Names that several services and Linkis' clients share: the application, engine kinds, versions, run types."""

from __future__ import annotations

from typing import Final

APPLICATION: Final = "linkis-cg-entrance"
"""The application name in execIDs and the service kind in errors."""

TEXT_RESULT: Final = "text"
"""Value of the schema metadata key `kind` of a result set that is lines of text, not a table."""

RUN_TYPES: Final = {"flink": ("sql", "jar"), "seatunnel": ("szeta",), "shell": ("shell", "sh", "exec")}
"""Run types that each engine kind takes."""

ENGINE_VERSIONS: Final = {"flink": ("1.20.5", "2.3.0"), "seatunnel": ("2.3.8",), "shell": ("1",)}
"""Versions of each engine kind, the default one first."""

SEATUNNEL_VARIABLE: Final = "seatunnel.variable."
"""How the runtime configuration's keys begin that are SeaTunnel's own variables."""

ENDED_BADLY: Final = "Sorry. Your job completed with a status {}. You can view logs for the reason."
"""The last line of a log whose job did not succeed; Linkis clients look for it."""


def too_long(limit: str) -> str:
    """What a job is told that ended at a limit of its time, which is given as label=seconds."""
    did = "ran" if limit.startswith("jobRunningTimeout") else "waited"
    return f"the job {did} for too long: {limit}"
