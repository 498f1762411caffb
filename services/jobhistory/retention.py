"""What is too old or too much goes: logs and results of ended jobs, then their history, and what belongs to no job.

A job's files go in three steps, so that a death between any two of them leaves nothing half done: its row says that
they go, and from then on nobody begins to read them; a sweep later the files are removed, whoever was reading has had
that long; then the row says that they are gone. The history of a job goes only when its files are gone.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NoReturn

from commons.database import locks
from commons.database.connections import Database
from commons.process.clock import Clock
from commons.process.loops import repeat
from commons.process.settings import Settings
from commons.storage import Storage
from protocol import layout
from services.jobhistory import store_retention as store

log = logging.getLogger(__name__)

FIRST_SECONDS = 30.0
AT_ONCE = 50
TURN_SECONDS, LEASE_SECONDS = 5.0, 15
"""How long one turn works, and for how long it holds the lock at most; removing twice is harmless."""
PAUSE_SECONDS = 0.05
SAVED_WITHIN_MS = 3_600_000
"""A job is saved this soon after its code."""
DAY_MS = 86_400_000


class Retention:
    """The loop; `name` tells who holds the lock."""

    def __init__(self, settings: Settings, db: Database, clock: Clock, storage: Storage, name: str) -> None:
        self._db = db
        self._clock = clock
        self._storage = storage
        self._name = name
        self._pause_seconds = settings.sweep_seconds
        self._history_days = settings.history_days
        days = [days for days in (settings.result_days, settings.history_days) if days]
        self._result_days = min(days, default=0.0)
        self._storage_bytes = settings.storage_mb * 2**20
        self._steps = (
            self._remove_files, self._measure, self._mark_old, self._mark_too_much, self._remove_history,
            self._remove_strays, self._remove_code, self._remove_rows,
        )  # fmt: skip
        self._removed: Counter[str] = Counter()
        self._places: Iterator[tuple[str, Sequence[str]]] | None = None
        self._next_walk_ms = 0

    async def run(self) -> NoReturn:
        first = min(self._pause_seconds, FIRST_SECONDS)  # a service that starts has other work
        await repeat("removing what is old", self.sweep, self._pause_seconds, first)

    async def sweep(self) -> None:
        """One look at everything, in turns of some seconds."""
        self._removed.clear()
        try:
            while await self._turn():
                await asyncio.sleep(PAUSE_SECONDS)
        finally:
            if self._removed:
                said = ", ".join(f"{what} of {jobs} jobs" for what, jobs in self._removed.items())
                log.info("removed what is too old or too much: %s", said)

    async def _turn(self) -> bool:
        """Whether there is more to do. Another instance that sweeps now does this one's work too."""
        async with locks.held(self._db, "retention", self._name, LEASE_SECONDS) as mine:
            until = time.monotonic() + TURN_SECONDS
            for step in self._steps if mine else ():
                while await step():
                    if time.monotonic() > until:
                        return True
                    await asyncio.sleep(PAUSE_SECONDS)
        return False

    async def _remove_files(self) -> bool:
        """Each step does one batch, and says whether there may be another."""
        before = self._clock.now_ms() - int(self._pause_seconds * 1000)
        async with self._db.read() as tx:
            jobs = await store.files_to_remove(tx, before, AT_ONCE)
        gone: list[int] = []
        if jobs:
            gone = await asyncio.to_thread(self._remove, jobs)
            async with self._db.write() as tx:
                await store.mark_removed(tx, gone)
            self._removed["logs and results"] += len(gone)
        return len(gone) == AT_ONCE

    async def _measure(self) -> bool:
        if not self._storage_bytes:
            return False
        async with self._db.read() as tx:
            jobs = await store.files_to_measure(tx, AT_ONCE)
        if jobs:
            sizes = await asyncio.to_thread(self._sizes, [log_path for _, log_path in jobs])
            async with self._db.write() as tx:
                await store.set_bytes(tx, dict(zip((job_id for job_id, _ in jobs), sizes, strict=True)))
        return len(jobs) == AT_ONCE

    async def _mark_old(self) -> bool:
        if not self._result_days:
            return False
        now = self._clock.now_ms()
        async with self._db.read() as tx:
            jobs = await store.old_files(tx, now - int(self._result_days * DAY_MS), AT_ONCE)
        await self._mark(jobs, f"the job's log and results were removed {self._result_days:g} days after its end")
        return len(jobs) == AT_ONCE

    async def _mark_too_much(self) -> bool:
        if not self._storage_bytes:
            return False
        async with self._db.read() as tx:
            kept, running = await store.kept_bytes(tx), await store.logs_of_running_jobs(tx)
            first = await store.first_files(tx, AT_ONCE)
        excess = kept + sum(await asyncio.to_thread(self._sizes, running)) - self._storage_bytes
        jobs: list[int] = []
        for job_id, size in first:
            if excess <= 0:
                break
            jobs.append(job_id)
            excess -= size
        limit = f"{self._storage_bytes >> 20} MiB"
        await self._mark(jobs, f"the job's log and results were removed to keep the storage under {limit}")
        return len(jobs) == AT_ONCE

    async def _mark(self, jobs: Sequence[int], why: str) -> None:
        if jobs:
            async with self._db.write() as tx:
                await store.mark_removing(tx, jobs, self._clock.now_ms(), why)

    async def _remove_history(self) -> bool:
        if not self._history_days:
            return False
        before = self._clock.now_ms() - int(self._history_days * DAY_MS)
        async with self._db.read() as tx:
            jobs = await store.old_jobs(tx, before, AT_ONCE)
        if jobs:
            async with self._db.write() as tx:
                await store.delete_jobs(tx, jobs)
            self._removed["the history"] += len(jobs)
        return len(jobs) == AT_ONCE

    async def _remove_strays(self) -> bool:
        """Once a day: job folders that no row names, some of them at a time."""
        if self._places is None:
            if self._clock.now_ms() < self._next_walk_ms:
                return False
            self._next_walk_ms = self._clock.now_ms() + DAY_MS
            async with self._db.read() as tx:
                oldest = await store.oldest_unended_ms(tx)
            self._places = self._walk(oldest)
        place = await asyncio.to_thread(next, self._places, None)
        if place is None:
            self._places = None
            return False
        await self._look_at(*place)
        return True

    def _walk(self, oldest_unended_ms: int | None) -> Iterator[tuple[str, Sequence[str]]]:
        """Users' folders of each day before yesterday, with the names of some jobs in them.

        Empty folders go on the way, but only of days from which no job can write any more.
        """
        yesterday = layout.day_of(self._clock.now_ms() - DAY_MS)
        # a job that came at midnight has its files under the day before
        quiet = min(yesterday, layout.day_of(oldest_unended_ms - DAY_MS)) if oldest_unended_ms else yesterday
        for day in self._folders(layout.JOBS):
            if not layout.is_day(day) or day >= yesterday:
                continue
            place = f"{layout.JOBS}/{day}"
            users = self._folders(place)
            for user in users:
                names = self._folders(f"{place}/{user}")
                for start in range(0, len(names), AT_ONCE):
                    yield f"{place}/{user}", names[start : start + AT_ONCE]
                if not names and day < quiet:
                    self._storage.remove(f"{place}/{user}")
            if not users and day < quiet:
                self._storage.remove(place)

    async def _look_at(self, place: str, names: Sequence[str]) -> None:
        async with self._db.read() as tx:
            known = await store.jobs_at(tx, names)
        strays, unnoted = [], {}
        for name in names:
            folder, row = f"{place}/{name}", known.get(name)
            # a log elsewhere means that the storage root has moved: then nothing here is known to be a stray
            if row is None or self._folder(row.log_path) not in ("", folder) or row.state == store.REMOVED:
                strays.append(folder)
            elif row.live is None and row.state is None:
                unnoted[row.id] = row.updated_time
        if unnoted:
            async with self._db.write() as tx:
                await store.keep_files(tx, unnoted)
        for folder in strays:
            await asyncio.to_thread(self._storage.remove, folder)
            self._removed["stray folders"] += 1

    async def _remove_code(self) -> bool:
        """Long code to run of jobs that have ended, and of submits that were never saved."""
        entries = await asyncio.to_thread(partial(self._storage.list, layout.CODE_TO_RUN, unfinished=True))
        for start in range(0, len(entries), AT_ONCE):
            some = entries[start : start + AT_ONCE]
            async with self._db.read() as tx:
                known = await store.jobs_at(tx, [entry.name for entry in some])
            for entry in some:
                row = known.get(entry.name)
                unsaved = row is None and self._clock.now_ms() - entry.modified_ms > SAVED_WITHIN_MS
                if unsaved or (row is not None and row.live is None):
                    await asyncio.to_thread(self._storage.delete, layout.code_to_run(entry.name))
                    self._removed["the code to run"] += 1
        return False

    async def _remove_rows(self) -> bool:
        async with self._db.write() as tx:
            await store.delete_lost_instances(tx, self._clock.now_ms() - DAY_MS)
            await locks.delete_lapsed(tx)
        return False

    def _remove(self, jobs: store.Paths) -> list[int]:
        """The jobs whose folders are gone now; one that cannot be removed does not keep the others."""
        gone = []
        for job_id, log_path in jobs:
            folder = self._folder(log_path)
            try:
                if folder:
                    self._storage.remove(folder)
            except OSError as error:
                log.warning("cannot remove the files of job %s: %s", job_id, error)
            else:
                gone.append(job_id)
        return gone

    def _sizes(self, log_paths: Sequence[str]) -> list[int]:
        folders = map(self._folder, log_paths)
        return [self._storage.size(folder) if folder else 0 for folder in folders]

    def _folders(self, path: str) -> list[str]:
        return [entry.name for entry in self._storage.list(path) if not entry.is_file]

    def _folder(self, log_path: str | None) -> str:
        """The job's folder, relative to the storage root; empty when it lies elsewhere."""
        place = layout.JobPath.parse(self._storage.relative(log_path or "") or "")
        return place.job if place is not None else ""
