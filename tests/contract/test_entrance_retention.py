"""Sessions, tokens and submit keys leave the tables once they are good for nothing; time is turned by hand."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from commons.database.connections import Database
from commons.process.errors import AlreadyExists
from services import schema
from services.entrance import retention, store
from services.entrance.idempotency import SubmitKeys
from services.entrance.users import Asker, Users
from services.entrance.wire.jobs import Submit, parse_submit
from tests.support.managing import HandClock

DAY, HOUR = 86_400, 3_600
ADMIN = Asker("admin", True)


def submit(code: str) -> Submit:
    body = {
        "executionContent": {"code": code, "runType": "shell"},
        "labels": {"engineType": "shell-1", "userCreator": "admin-IDE"},
    }
    return parse_submit(body, "admin", "")


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    db = await Database.open(f"sqlite+aiosqlite:///{tmp_path}/test.db")
    await schema.create(db, "test")
    yield db
    await db.close()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def users(db: Database, clock: HandClock) -> Users:
    users = Users(db, clock, session_seconds=HOUR)
    await users.first_administrator(lambda password, token: None)
    return users


async def test_sessions_go_when_they_expire(
    db: Database, users: Users, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    old = [await users.new_ticket("admin") for _ in range(5)]
    clock.turn(HOUR / 2)
    young = await users.new_ticket("admin")
    clock.turn(HOUR / 2 + 1)
    await retention.remove_old(db, clock)
    async with db.read() as tx:
        kept = [ticket for ticket in [*old, young] if await store.session(tx, digest(ticket)) is not None]
    assert kept == [young]


async def test_tokens_are_listed_for_a_week_after_their_end(db: Database, users: Users, clock: HandClock) -> None:
    ends, _ = await users.create_token(ADMIN, ["admin"], 1)
    later, _ = await users.create_token(ADMIN, ["admin"], 30)
    clock.turn(8 * DAY - 1)
    await retention.remove_old(db, clock)
    assert {ends.id, later.id} < await tokens(users)
    clock.turn(2)
    await retention.remove_old(db, clock)
    assert ends.id not in await tokens(users) and later.id in await tokens(users)
    await users.revoke_token(ADMIN, later.id)
    assert (await users.create_token(ADMIN, ["admin"], 30))[0].id > later.id, "an id is not given again"


async def tokens(users: Users) -> set[int]:
    return {token.id for account in await users.accounts(ADMIN) for token in account.tokens}


async def test_a_submit_key_is_free_after_a_day_and_then_goes(db: Database, clock: HandClock) -> None:
    keys = SubmitKeys(db, clock)
    for key in ("a", "b"):
        assert await keys.bind("admin", key, submit("1"), "s1") == "s1"
    clock.turn(DAY)
    await retention.remove_old(db, clock)
    assert await keys.bind("admin", "a", submit("1"), "s2") == "s1"
    with pytest.raises(AlreadyExists):
        await keys.bind("admin", "a", submit("2"), "s2")
    clock.turn(1)
    assert await keys.bind("admin", "a", submit("2"), "s2") == "s2", "also before it was removed"
    await retention.remove_old(db, clock)
    async with db.read() as tx:
        kept = [key for key in ("a", "b") if await store.submit_key(tx, "admin", digest(key)) is not None]
    assert kept == ["a"]
