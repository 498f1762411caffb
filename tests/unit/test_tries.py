"""Wrong passwords: how long whoever tries them waits, and who does not."""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path

import pytest

from commons.database.connections import Database
from commons.process.errors import Exhausted, Invalid
from services import schema
from services.entrance import tries, users
from services.entrance.tries import BY_ADDRESS, BY_USER, Tries
from services.entrance.users import Users
from tests.support.managing import HandClock


async def wrong() -> bool:
    await asyncio.sleep(0)
    return False


async def right() -> bool:
    return True


async def waits(asked: Tries, name: str, address: str) -> int:
    """For how many seconds the next try is refused."""
    with pytest.raises(Exhausted, match="try again in") as caught:
        await asked.is_right(name, address, right)
    assert (caught.value.code, caught.value.http_status, caught.value.field) == (100021, 429, "password")
    return caught.value.retry_seconds


async def test_each_wrong_try_doubles_the_wait_up_to_a_minute() -> None:
    clock = HandClock()
    asked, told = Tries(clock), []
    for _ in range(BY_USER.free):
        assert not await asked.is_right("anna", "10.0.0.1", wrong)
    for _ in range(9):
        told.append(await waits(asked, "anna", "10.0.0.1"))
        clock.turn(told[-1])
        assert not await asked.is_right("anna", "10.0.0.1", wrong)
    assert told == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert await asked.is_right("anna", "10.0.0.2", right), "from elsewhere she gets in"
    assert not await asked.is_right("bert", "10.0.0.1", wrong), "others are not concerned"
    clock.turn(60)
    assert await asked.is_right("anna", "10.0.0.1", right)
    assert not await asked.is_right("anna", "10.0.0.1", wrong)
    assert await asked.is_right("anna", "10.0.0.1", right), "who was right begins anew"


async def test_an_address_that_tries_many_names_waits_but_not_who_was_right_there() -> None:
    clock = HandClock()
    asked = Tries(clock)
    assert await asked.is_right("anna", "2001:db8::1", right)
    for number in range(BY_ADDRESS.free):
        assert not await asked.is_right(f"user{number}", f"2001:db8::{number:x}", wrong)
    assert await waits(asked, "new", "2001:db8::ffff") == 1, "the whole network is one address"
    assert await asked.is_right("anna", "2001:db8::1", right)
    assert await asked.is_right("new", "2001:db8:0:1::1", right)
    clock.turn(tries.FORGOTTEN_SECONDS + 1)
    assert not await asked.is_right("new", "2001:db8::ffff", wrong)


async def test_tries_at_the_same_time_are_counted_one_by_one() -> None:
    asked = Tries(HandClock())
    ends = await asyncio.gather(*(asked.is_right("a", "1.1.1.1", wrong) for _ in range(50)), return_exceptions=True)
    assert (ends.count(False), sum(isinstance(end, Exhausted) for end in ends)) == (BY_USER.free, 50 - BY_USER.free)


async def test_what_is_remembered_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tries, "MOST_KEPT", 20)
    asked = Tries(HandClock())
    for number in range(100):
        await asked.is_right("x" * 100_000 + str(number), f"10.0.0.{number}", wrong)
    assert len(asked._records) == 20 and all(len(name) <= 21 for name, _ in asked._records)


async def test_an_unknown_name_takes_as_long_as_a_known_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users, "_FAILURE_SECONDS", 0.0)
    db = await Database.open(f"sqlite+aiosqlite:///{tmp_path}/test.db")
    await schema.create(db, "a test")
    all_users = Users(db, HandClock(), 60)
    await all_users.create("anna", "long enough", is_admin=False)
    took: dict[str, list[float]] = {"anna": [], "nobody": []}
    for number in range(10):
        for name, times in took.items():
            began = time.perf_counter()
            with pytest.raises(Invalid, match="wrong user name or password"):
                await all_users.log_in(name, "a wrong one", f"10.0.0.{number}")
            times.append(time.perf_counter() - began)
    known, unknown = (statistics.median(times) for times in took.values())
    assert known / 3 < unknown < known * 3, took
    await db.close()
