"""A soak: many jobs on one engine, then some time of mixed load. Memory, descriptors, threads and files stay flat.

2,000 shell jobs run on one engine, a few of them waiting. Then, for 30 minutes, clients submit shell jobs, SELECTs and
INSERTs, follow logs, read results, kill, poll and log in. It ends with 1 when something grows, when something is left
after every job has ended, or when a job ends otherwise than it should.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from headgate import AsyncClient

from tests.bench.running import Bench
from tests.bench.samples import HEAD, Samples
from tests.bench.table import line
from tests.conftest import Service
from tests.support.leftovers import settled

AT_ONCE = 4
ENGINES = "5"
"""Of the mixed load: now and then one gives way to one of the other kind."""

SAMPLES = 180
"""Of one run; but none more often than each second, nor less often than each ten."""

LONG = 'for ((n = 1; n <= 500; n++)); do echo "line $n"; done'
SELECT = "SET 'execution.runtime-mode' = 'batch'; SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (3, 'c')) AS t(id, name)"
INSERT = """SET 'execution.runtime-mode' = 'batch'; CREATE TABLE b (id INT) WITH ('connector' = 'blackhole');
INSERT INTO b VALUES (1), (2), (3)"""
STREAM = "CREATE TABLE g (id INT) WITH ('connector' = 'datagen', 'rows-per-second' = '5'); SELECT * FROM g"


async def shell(client: AsyncClient, service: Service) -> None:
    await _ended(client, "echo $RANDOM; echo warned >&2", "shell")


async def select(client: AsyncClient, service: Service) -> None:
    job = await _ended(client, SELECT)
    result = await job.result(0)
    assert len([row async for row in result.rows()]) == 3
    assert b"".join([chunk async for chunk in result.arrow()])


async def insert(client: AsyncClient, service: Service) -> None:
    await _ended(client, INSERT)


async def follow(client: AsyncClient, service: Service) -> None:
    job = await client.submit(LONG, engine="shell")
    assert len([line async for line in job.follow() if " line " in line]) == 500


async def kill(client: AsyncClient, service: Service) -> None:
    for code, engine in (("sleep 600", "shell"), (STREAM, "flink")):
        job = await client.submit(code, engine=engine)
        await asyncio.sleep(3)
        await job.kill()
        assert await job.wait(60) == "Cancelled"


async def leave(client: AsyncClient, service: Service) -> None:
    """Who follows goes away in the middle."""
    job = await client.submit("for n in 1 2 3 4 5 6 7 8; do echo $n; sleep 0.2; done", engine="shell")
    following = job.follow()
    await anext(following)
    await following.aclose()
    assert await job.wait(60) == "Succeed"


async def polls(client: AsyncClient, service: Service) -> None:
    for row in await client.jobs(page_size=10):
        job = client.job(row["taskID"])
        await job.status(), await job.progress(), await job.log()
    await asyncio.sleep(0.2)


async def log_in(client: AsyncClient, service: Service) -> None:
    async with AsyncClient(service.url, service.user, password=service.password) as another:
        await another.jobs()
    await asyncio.sleep(1)


ACTIVITIES = (shell, select, insert, follow, kill, leave, polls, log_in)
Activity = Callable[[AsyncClient, Service], Awaitable[None]]


async def _ended(client: AsyncClient, code: str, engine: str = "flink"):
    job = await client.submit(code, engine=engine)
    status = await job.wait(120)
    assert status == "Succeed", f"{status}: {(await job.log())[-2:]}"
    return job


async def _repeated(activities: list[Activity], service: Service, wanted: Callable[[], bool]) -> list[str]:
    """Each activity again and again beside the others; what went wrong."""
    done, wrong = collections.Counter[str](), list[str]()

    async def again(activity: Activity, client: AsyncClient) -> None:
        while wanted():
            try:
                await activity(client, service)
                done[activity.__name__] += 1
            except Exception as error:
                wrong.append(f"{activity.__name__}: {type(error).__name__}: {error}")
                print(f"{time.strftime('%H:%M:%S')} {wrong[-1]}", flush=True)
                await asyncio.sleep(1)

    async with AsyncClient(service.url, service.user, service.token, timeout_seconds=120) as client:
        await asyncio.gather(*(again(activity, client) for activity in activities))
    print("done: " + ", ".join(f"{count:,} {name}" for name, count in done.items()))
    return wrong


def _soak(
    folder: Path, activities: list[Activity], wanted: Callable[[], bool], every_seconds: float, **settings: str
) -> bool:
    """Whether everything went well and stayed flat; told as a table."""
    with Bench(folder, False, 1).service("service", **settings) as service:
        samples = Samples(service)
        with samples.taken(every_seconds):
            wrong = asyncio.run(_repeated(activities, service, wanted))
            try:
                settled(service.home)
            except AssertionError as left:
                wrong.append(f"left at the end: {left}")
    print(line(HEAD))
    for series in samples.all():
        print(series.told(), flush=True)
    for fault, times in collections.Counter(wrong).most_common(10):
        print(f"WRONG {times} times: {fault}", flush=True)
    return not wrong and all(series.flat for series in samples.all() if series.bounded)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.soak", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2000, help="jobs on one engine (2,000); 0: none")
    parser.add_argument("--minutes", type=float, default=30, help="of mixed load (30); 0: none")
    arguments = parser.parse_args()
    well, folder = True, Path(tempfile.mkdtemp(prefix="hg-soak-", dir="/tmp"))
    if arguments.jobs:
        left = iter(range(arguments.jobs))
        print(f"\n{arguments.jobs:,} jobs on one shell engine", flush=True)
        one = {"HEADGATE_ENGINES": "shell", "HEADGATE_TENANT_ENGINES": "1"}
        well &= _soak(folder / "jobs", [shell] * AT_ONCE, lambda: next(left, None) is not None, 1, **one)
    if arguments.minutes:
        until = time.monotonic() + 60 * arguments.minutes
        every_seconds = min(10.0, max(1.0, 60 * arguments.minutes / SAMPLES))
        print(f"\n{arguments.minutes:g} minutes of mixed load", flush=True)
        room = {"HEADGATE_TENANT_ENGINES": ENGINES, "HEADGATE_TENANT_RUNNING_JOBS": ENGINES}
        well &= _soak(folder / "mixed", list(ACTIVITIES), lambda: time.monotonic() < until, every_seconds, **room)
    if well:
        shutil.rmtree(folder)
        return 0
    print(f"\nthe logs and homes of the services are kept in {folder}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
