"""How much one SELECT may give: rows, and seconds of reading. The administrator sets the most, a job may take less."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

ROWS, SECONDS = "headgate.select.rows", "headgate.select.seconds"
"""Settings of a job, by SET or in its configuration."""


NO_LIMIT = 2**63 - 1


@dataclass(frozen=True, slots=True)
class SelectLimits:
    """At most `rows` rows, read for at most `seconds`."""

    rows: int
    seconds: float = math.inf

    @classmethod
    def of(cls, rows: str, seconds: str) -> SelectLimits:
        """From HEADGATE_FLINK_SELECT_ROWS and HEADGATE_FLINK_SELECT_SECONDS, where 0 seconds are no limit."""
        return cls(int(rows or NO_LIMIT), float(seconds or 0) or math.inf)

    def refusal(self, key: str, value: str) -> str | None:
        """Why the setting may not have this value, or None."""
        most = {ROWS: self.rows, SECONDS: self.seconds}.get(key)
        if most is None:
            return None
        try:
            number = int(value) if key == ROWS else float(value)
        except ValueError:
            number = math.nan
        if 0 < number <= most and number < math.inf:
            return None
        upto = "" if most == math.inf else f", at most {most}; the administrator may allow more"
        return f"{key} must be a number above 0{upto}; it is {value[:30]!r}"

    def chosen(self, settings: Mapping[str, str]) -> SelectLimits:
        """What holds for a job with these settings."""
        return SelectLimits(int(settings.get(ROWS, self.rows)), float(settings.get(SECONDS, self.seconds)))
