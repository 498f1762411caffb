"""What a job asks for of the Flink that it runs on: the form, and the sizes of its processes. Pure.

A job says it in its runtime configuration, by Linkis' names; the engine that is started is told by its labels.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from commons.process.errors import Invalid
from protocol import codes

MINI: Final = "mini"
"""One JVM for all."""
SESSION: Final = "session"
"""A job manager and task managers as processes of their own, for one job after the other."""
FORMS: Final = (MINI, SESSION)

FORM = "flink.deployment"
JOBMANAGER, TASKMANAGER = "flink.jobmanager.memory", "flink.taskmanager.memory"
SLOTS, TASKMANAGERS = "flink.taskmanager.numberOfTaskSlots", "flink.container.num"

CLIENT_MB = 384
"""Of the JVM that plans SQL for a cluster in processes of its own."""
CLIENT_CORES, SLOT_CORES = 0.5, 0.25
_FIELD = "params.configuration.runtime."
_MEMORY = re.compile(r"^(\d{1,9})\s*(m|mb|mib|g|gb|gib)?$", re.I)
_LIMITS = {JOBMANAGER: (256, 65_536), TASKMANAGER: (256, 262_144), SLOTS: (1, 64), TASKMANAGERS: (1, 32)}


@dataclass(frozen=True, slots=True)
class Deployment:
    """The sizes are those of a session; memory is that of a whole process, in MiB."""

    form: str = MINI
    jobmanager_mb: int = 512
    taskmanager_mb: int = 768
    slots: int = 2
    """Of each task manager."""
    taskmanagers: int = 1

    @classmethod
    def of(cls, configuration: Mapping[str, str]) -> Deployment:
        """What a job's runtime configuration asks for. Raises Invalid naming the field and the fix."""
        form = configuration.get(FORM, MINI).strip().lower() or MINI
        if form not in FORMS:
            raise _invalid(FORM, configuration[FORM], f"one of: {', '.join(FORMS)}")
        if form == MINI:
            return cls()
        return cls(
            form,
            _memory(configuration, JOBMANAGER, cls().jobmanager_mb),
            _memory(configuration, TASKMANAGER, cls().taskmanager_mb),
            _count(configuration, SLOTS, cls().slots),
            _count(configuration, TASKMANAGERS, cls().taskmanagers),
        )

    @classmethod
    def from_labels(cls, labels: Mapping[str, str]) -> Deployment:
        """What `labels` of an engine say."""
        if labels.get("deployment", MINI) == MINI:
            return cls()
        sizes = (int(labels[name]) for name in ("jobmanager_mb", "taskmanager_mb", "slots", "taskmanagers"))
        return cls(labels["deployment"], *sizes)

    def labels(self) -> dict[str, str]:
        """Labels of the engine: its sizes, and `cores` and `memory` (bytes) of the whole; none of a `mini` one."""
        if self.form == MINI:
            return {}
        memory_mb = CLIENT_MB + self.jobmanager_mb + self.taskmanagers * self.taskmanager_mb
        return {
            "deployment": self.form,
            "jobmanager_mb": str(self.jobmanager_mb),
            "taskmanager_mb": str(self.taskmanager_mb),
            "slots": str(self.slots),
            "taskmanagers": str(self.taskmanagers),
            "cores": f"{CLIENT_CORES + SLOT_CORES * self.slots * self.taskmanagers:g}",
            "memory": str(memory_mb << 20),
        }


def _memory(configuration: Mapping[str, str], key: str, default: int) -> int:
    text = configuration.get(key, "").strip()
    if not text:
        return default
    least, most = _LIMITS[key]
    found = _MEMORY.match(text)
    mb = int(found[1]) * (1024 if (found[2] or "m").lower().startswith("g") else 1) if found else 0
    if not least <= mb <= most:
        raise _invalid(key, text, f"memory of the process, from {least}m to {most >> 10}g, such as 1024, 1024m or 1g")
    return mb


def _count(configuration: Mapping[str, str], key: str, default: int) -> int:
    text = configuration.get(key, "").strip()
    if not text:
        return default
    least, most = _LIMITS[key]
    if not (text.isascii() and text.isdigit() and len(text) < 9 and least <= int(text) <= most):
        raise _invalid(key, text, f"a whole number from {least} to {most}")
    return int(text)


def _invalid(key: str, value: str, fix: str) -> Invalid:
    return Invalid(codes.FIELD_INVALID, f"{_FIELD}{key} must be {fix}; it is {value[:40]!r}", field=f"{_FIELD}{key}")
