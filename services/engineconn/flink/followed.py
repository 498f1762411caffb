"""One Flink job from its submission to its end, as REST tells it: what it waits for, its restarts, its counters."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.engineconn.engine import Event, LogLine, Outcome
from services.engineconn.flink.causes import root_cause
from services.engineconn.flink.rest import NoAnswer, Rest

FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS = 0.1, 1.0
SAMPLE_SECONDS = 2.0
TELL_SECONDS = 60.0
SLOTS_SAID_SECONDS = 2.0
_ENDS = {"FINISHED": Outcome.SUCCEED, "CANCELED": Outcome.CANCELLED, "FAILED": Outcome.FAILED}
_WAITING = ("CREATED", "SCHEDULED")
_AT_WORK = ("DEPLOYING", "INITIALIZING", "RUNNING")


@dataclass(slots=True)
class Followed:
    """`wait_seconds`: so long the job may be without slots."""

    job_id: str
    rest: Rest
    say: Callable[[Event], Awaitable[None]]
    wait_seconds: float
    metrics: dict[str, int] = field(default_factory=dict)
    """Counters as they are known by now."""
    streaming: bool = False
    _without_slots: float | None = None
    _said: bool = False
    _restarting_ms: int = 0
    _sampled: float = 0.0
    _told: float = field(default_factory=time.monotonic)
    _why: str = ""

    async def end(self) -> tuple[Outcome, str]:
        """How the job ended, and why it did when it failed. Raises Refusal when Flink knows it no more.

        While Flink does not answer this waits: others look whether it is still there.
        """
        began = time.monotonic()
        while True:
            try:
                job = await self.rest.job(self.job_id)
            except NoAnswer:
                await asyncio.sleep(LAST_PAUSE_SECONDS)
                continue
            state = str(job.get("state"))
            self.streaming = str(job.get("job-type") or job.get("plan", {}).get("type")) == "STREAMING"
            if state in _ENDS:
                await self._sample(job)
                return await self._ended(_ENDS[state])
            await self._slots(job)
            await self._restarts(job)
            if time.monotonic() - self._sampled > SAMPLE_SECONDS:
                await self._sample(job)
            passed = time.monotonic() - began
            await asyncio.sleep(min(FIRST_PAUSE_SECONDS + passed / 100, LAST_PAUSE_SECONDS))

    async def _ended(self, outcome: Outcome) -> tuple[Outcome, str]:
        if self._why:
            return Outcome.FAILED, self._why
        if outcome is not Outcome.FAILED:
            return outcome, ""
        found = await self.rest.exceptions(self.job_id)
        return outcome, root_cause(str(found[0].get("stacktrace", ""))) if found else "Flink gives no reason"

    async def _slots(self, job: Mapping[str, Any]) -> None:
        """Say soon that there are too few slots, and end the job when none come."""
        waiting = _tasks(job, _WAITING) if job.get("state") == "RUNNING" else 0
        if not waiting or (_tasks(job, _AT_WORK) and not self.streaming):
            self._without_slots, self._said = None, False
            return
        now = time.monotonic()
        if self._without_slots is None:
            self._without_slots = now
        elif not self._said and now - self._without_slots > SLOTS_SAID_SECONDS:
            self._said = True
            await self.say(LogLine("WARN", f"The job waits for slots: {await self._lack(job, waiting)}"))
        elif not self._why and now - self._without_slots > self.wait_seconds:
            self._why = f"no slots came in {self.wait_seconds:g} s: {await self._lack(job, waiting)}"
            await self.rest.cancel(self.job_id)

    async def _lack(self, job: Mapping[str, Any], waiting: int) -> str:
        overview = await self.rest.overview()
        needed = max((int(vertex.get("parallelism", 0)) for vertex in job.get("vertices", ())), default=0)
        return (
            f"{waiting} tasks have none; the job needs {needed} at least, the cluster has "
            f"{overview.get('slots-total', 0)}, of which {overview.get('slots-available', 0)} are free. Choose a "
            "smaller parallelism, or more of flink.taskmanager.numberOfTaskSlots or flink.container.num"
        )

    async def _restarts(self, job: Mapping[str, Any]) -> None:
        at = int(job.get("timestamps", {}).get("RESTARTING", 0))
        if at <= self._restarting_ms:
            return
        self._restarting_ms = at
        found = await self.rest.exceptions(self.job_id)
        why = root_cause(str(found[0].get("stacktrace", ""))) if found else "Flink gives no reason"
        await self.say(LogLine("WARN", f"The job begins again: {why}"))

    async def _sample(self, job: Mapping[str, Any]) -> None:
        """Counters of the tasks, of checkpoints and of restarts; now and then a line of them."""
        self._sampled = time.monotonic()
        totals = [vertex.get("metrics", {}) for vertex in job.get("vertices", ())]
        now = {
            name: int(sum(float(total.get(key, 0) or 0) for total in totals)) for name, key in _VERTEX_METRICS.items()
        }
        counts = (await self.rest.checkpoints(self.job_id)).get("counts", {})
        now |= {"checkpoints": int(counts.get("completed", 0)), "checkpoints_failed": int(counts.get("failed", 0))}
        numbers = await self.rest.numbers(f"/jobs/{self.job_id}/metrics", "numRestarts")
        now |= {"restarts": int(numbers["numRestarts"])} if "numRestarts" in numbers else {}
        # Flink forgets a counter as its task or its job ends, and counts anew after a restart
        self.metrics |= {name: value for name, value in now.items() if value or name not in self.metrics}
        if time.monotonic() - self._told > TELL_SECONDS:
            self._told = time.monotonic()
            await self.say(LogLine("INFO", f"So far: {told(self.metrics)}"))


_VERTEX_METRICS = {
    "records_read": "read-records",
    "records_sent": "write-records",
    "bytes_read": "read-bytes",
    "bytes_sent": "write-bytes",
    "backpressured_ms": "accumulated-backpressured-time",
}


def told(metrics: Mapping[str, int]) -> str:
    return ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in metrics.items() if value) or "nothing"


def _tasks(job: Mapping[str, Any], states: tuple[str, ...]) -> int:
    return sum(int(vertex.get("tasks", {}).get(state, 0)) for vertex in job.get("vertices", ()) for state in states)
