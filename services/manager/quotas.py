"""What a tenant may have at once: fits, or the limit that breaks. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one tenant."""

    engines: int
    running_jobs: int


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one tenant: engines that have not ended, jobs that hold one."""

    engines: int = 0
    running_jobs: int = 0


def job_breaks(usage: Usage, limits: Limits) -> str | None:
    """Why one more job may not run now, or None."""
    if usage.running_jobs >= limits.running_jobs:
        return f"{usage.running_jobs} of this tenant's jobs are running and its limit is {limits.running_jobs}"
    return None


def engine_breaks(usage: Usage, limits: Limits) -> str | None:
    """Why one more engine may not be started now, or None."""
    if usage.engines >= limits.engines:
        return f"this tenant has {usage.engines} engines and its limit is {limits.engines}"
    return None
