"""AsyncClient against a real service: the same jobs as Client's, many at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from headgate import AsyncClient, AsyncJob, Job, NoSuchResult, NotLoggedIn, Refused

from tests.conftest import Service

SHELL = "shell-1"


@pytest.fixture
async def client(service: Service) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(service.url, service.user, service.token) as client:
        yield client


async def test_a_job_from_its_submit_to_its_rows(client: AsyncClient) -> None:
    job = await client.submit("seq ${n}; sleep 1; echo last", engine=SHELL, variables={"n": "3"})
    followed = [line async for line in job.follow()]
    assert followed == await job.log() and "INFO last" in "\n".join(followed)
    assert await job.wait() == await job.status() == "Succeed"
    assert (await job.progress()).fraction == 1.0
    assert (await job.history())["taskID"] == job.id
    (result,) = [result async for result in job.results()]
    expected = [["1"], ["2"], ["3"], ["last"]]
    assert [row async for row in result.rows()] == expected
    assert [row async for row in result.rows(2)] == expected[:2]
    assert (await result.to_arrow()).to_pylist() == [{"line": row[0]} for row in expected]
    assert list((await result.to_pandas())["line"]) == [row[0] for row in expected]
    assert (await job.result()).columns == (await job.result(0)).columns == result.columns
    with pytest.raises(NoSuchResult, match="one result set, 0; there is no 1"):
        await job.result(1)
    assert (await client.jobs(page_size=1))[0]["taskID"] == job.id
    assert await client.job(job.id).status() == "Succeed"
    assert "Succeed" in job._repr_html_() and "<td>last</td>" in result._repr_html_()


async def test_twenty_jobs_at_once(client: AsyncClient) -> None:
    async def one(number: int) -> list[str | None]:
        job = await client.submit(f"echo from {number}; sleep 0.2; echo to {number}", engine=SHELL)
        following = asyncio.create_task(last_lines(job))
        assert await job.wait(120) == "Succeed"
        said = await following
        assert [line.rpartition("INFO ")[2] for line in said] == [f"from {number}", f"to {number}"]
        return [row[0] async for row in (await job.result()).rows()]

    async def last_lines(job: AsyncJob) -> list[str]:
        return [line async for line in job.follow() if line.rpartition("INFO ")[2].startswith(("from ", "to "))]

    found = await asyncio.gather(*map(one, range(20)))
    assert found == [[f"from {number}", f"to {number}"] for number in range(20)]


async def test_more_jobs_are_followed_than_a_pool_holds_by_default(client: AsyncClient, endless: Job) -> None:
    async def follow(begun: asyncio.Semaphore) -> None:
        async for _ in client.job(endless.id).watch():
            begun.release()

    begun = asyncio.Semaphore(0)
    async with asyncio.timeout(60):
        many = [asyncio.create_task(follow(begun)) for _ in range(120)]
        for _ in range(2 * len(many)):  # status and progress
            await begun.acquire()
        assert await client.job(endless.id).status() in ("Inited", "Scheduled", "Running")
    for one in many:
        one.cancel()
    await asyncio.gather(*many, return_exceptions=True)


async def test_a_wait_leaves_the_loop_free_and_can_be_cancelled(client: AsyncClient) -> None:
    job = await client.submit("echo begin; sleep 600", engine=SHELL)
    async for update in job.watch():
        if any(line.endswith("INFO begin") for line in update.lines):
            break
    waiting = asyncio.create_task(job.wait())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(waiting), 0.5)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(TimeoutError, match=rf"job {job.id} is still Running"):
        await job.wait(0.1)
    await job.kill()
    assert await job.wait(30) == "Cancelled"


async def test_a_password_is_exchanged_once_by_whoever_asks_first(service: Service) -> None:
    async with AsyncClient(service.url, service.user, password=service.password) as client:
        assert not client.credentials.ticket
        await asyncio.gather(*(client.jobs() for _ in range(5)))
        ticket = client.credentials.ticket
        assert ticket and await client.users()
        assert client.credentials.ticket == ticket
    async with AsyncClient(service.url, service.user, password="wrong") as client:
        with pytest.raises(Refused, match="wrong user name or password"):
            await client.jobs()
    async with AsyncClient(service.url, service.user, "revoked") as client:
        with pytest.raises(NotLoggedIn, match="does not take the token of admin"):
            await client.jobs()


async def test_users_and_tokens(client: AsyncClient, service: Service) -> None:
    await client.create_user("async_user", "long enough")
    await client.change_password("even longer", name="async_user")
    await client.set_administrator("async_user", True)
    assert ("async_user", True) in [(who["userName"], who["isAdmin"]) for who in await client.users()]
    made = await client.create_token(["async_user"], 1)
    async with AsyncClient(service.url, "async_user", made["token"]) as other:
        assert await other.jobs() is not None
        await client.revoke_token(made["id"])
        with pytest.raises(NotLoggedIn):
            await other.jobs()
