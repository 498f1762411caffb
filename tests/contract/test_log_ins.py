"""Who guesses learns nothing from how long an answer takes: an unknown name costs the same work as a wrong password."""

from __future__ import annotations

from pathlib import Path

import pytest
from argon2 import extract_parameters

from commons.database.connections import Database
from commons.process.errors import Invalid
from services import schema
from services.entrance.users import Users
from tests.support.managing import HandClock


async def test_an_unknown_name_costs_the_work_of_a_wrong_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = await Database.open(f"sqlite+aiosqlite:///{tmp_path}/test.db")
    await schema.create(db, "test")
    users = Users(db, HandClock(), session_seconds=60)
    await users.first_administrator(lambda password, token: None)
    verified: list[str] = []

    def verify(hashed: str, password: str) -> bool:
        verified.append(hashed)
        return False

    monkeypatch.setattr(users, "_verify", verify)
    for name in ("admin", "nobody"):
        with pytest.raises(Invalid):
            await users.log_in(name, "wrong", "192.0.2.1")
    await db.close()
    known, unknown = (extract_parameters(hashed) for hashed in verified)
    assert known == unknown and verified[0] != verified[1]
