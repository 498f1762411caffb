"""Users, passwords and tokens: who may change what, and what is void afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.conftest import Service
from tests.support.rest import PREFIX

PASSWORD = "long enough"


class Caller:
    """Calls of one user, each answer as (HTTP code, data or field at fault)."""

    def __init__(self, service: Service, headers: dict[str, str] | None = None) -> None:
        self.http = httpx2.Client(base_url=service.url + PREFIX, headers=headers)

    def __call__(self, route: str, body: object = None) -> tuple[int, Any]:
        reply = self.http.get(route) if body is None else self.http.post(route, json=body)
        data = reply.json()["data"]
        return reply.status_code, data if reply.status_code == 200 else data.get("field")

    def log_in(self, name: str, password: str) -> int:
        return self("/user/login", {"userName": name, "password": password})[0]


class Callers:
    """Callers by name and token, closed after the test."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.opened: list[Caller] = []

    def __call__(self, name: str = "", token: str = "") -> Caller:
        caller = Caller(self._service, {"Token-Code": token, "Token-User": name} if token else None)
        self.opened.append(caller)
        return caller


@pytest.fixture
def callers(service: Service) -> Iterator[Callers]:
    callers = Callers(service)
    yield callers
    for caller in callers.opened:
        caller.http.close()


@pytest.fixture
def admin(service: Service, callers: Callers) -> Caller:
    return callers(service.user, service.token)


@pytest.fixture
def anna(admin: Caller, callers: Callers) -> Caller:
    """A user who has logged in."""
    admin("/user/create", {"userName": "anna", "password": PASSWORD})
    admin("/user/update", {"userName": "anna", "password": PASSWORD})
    caller = callers()
    assert caller.log_in("anna", PASSWORD) == 200
    return caller


def test_a_user_changes_his_own_password_and_log_ins_end(callers: Callers, anna: Caller) -> None:
    assert anna("/user/update", {"password": "another one", "oldPassword": "wrong one"}) == (400, "oldPassword")
    assert anna("/user/update", {"password": "another one"}) == (400, "oldPassword")
    assert anna("/user/update", {"password": "short", "oldPassword": PASSWORD}) == (400, "password")
    assert anna("/user/userInfo")[0] == 200
    assert anna("/user/update", {"password": "another one", "oldPassword": PASSWORD}) == (200, {"userName": "anna"})
    assert anna("/user/userInfo")[0] == 401
    again = callers()
    assert (again.log_in("anna", PASSWORD), again.log_in("anna", "another one")) == (400, 200)


@pytest.mark.parametrize(
    ("route", "body", "answer"),
    [
        ("/user/update", {"userName": "admin", "password": "another one"}, (403, "userName")),
        ("/user/update", {"isAdmin": True}, (403, "isAdmin")),
        ("/user/update", {"userName": "admin", "isAdmin": False}, (403, "isAdmin")),
        ("/user/update", {}, (400, "password")),
        ("/user/update", {"password": 12345678}, (400, "password")),
        ("/user/token-create", {"legalUsers": ["admin"]}, (403, "legalUsers")),
        ("/user/token-create", {"legalUsers": ["*"]}, (403, "legalUsers")),
        ("/user/token-create", {"legalUsers": []}, (400, "legalUsers")),
        ("/user/token-create", {"legalUsers": "anna"}, (400, "legalUsers")),
        ("/user/token-create", {"expireDays": 0}, (400, "expireDays")),
        ("/user/token-create", {"expireDays": 1e9}, (400, "expireDays")),
        ("/user/token-create", {"expireDays": "soon"}, (400, "expireDays")),
        ("/user/token-revoke", {"id": 1}, (400, "id")),
        ("/user/token-revoke", {"id": "1"}, (400, "id")),
        ("/user/token-revoke", {"id": 10**30}, (400, "id")),
    ],
)
def test_a_user_changes_nothing_of_others(anna: Caller, route: str, body: object, answer: tuple[int, str]) -> None:
    assert anna(route, body) == answer


def test_a_users_own_token_until_it_is_revoked(callers: Callers, anna: Caller, admin: Caller) -> None:
    code, made = anna("/user/token-create", {"expireDays": 1})
    assert code == 200 and made["legalUsers"] == ["anna"]
    by_token = callers("anna", made["token"])
    assert by_token("/user/userInfo") == (200, {"userName": "anna", "isAdmin": False})
    as_admin = callers("admin", made["token"])
    assert as_admin("/user/userInfo")[0] == 401
    (listed,) = anna("/user/list")[1]["users"]
    assert listed["userName"] == "anna"
    assert listed["tokens"][-1] == {key: made[key] for key in ("id", "legalUsers", "expireTime")}
    assert "admin" in [user["userName"] for user in admin("/user/list")[1]["users"]]
    opened = callers()
    opened.http.post("/user/token-login", headers=by_token.http.headers)
    assert opened("/user/userInfo")[0] == 200
    assert anna("/user/token-revoke", {"id": made["id"]}) == (200, {"id": made["id"]})
    assert [caller("/user/userInfo")[0] for caller in (by_token, opened)] == [401, 401]


def test_an_expired_token_is_void(callers: Callers, anna: Caller) -> None:
    made = anna("/user/token-create", {"expireDays": 1e-9})[1]
    assert callers("anna", made["token"])("/user/userInfo")[0] == 401


def test_one_who_is_no_administrator_any_longer_keeps_no_token_for_others(
    callers: Callers, anna: Caller, admin: Caller
) -> None:
    assert admin("/user/update", {"userName": "anna", "isAdmin": True})[0] == 200
    assert anna("/user/userInfo")[1]["isAdmin"]
    for_all = anna("/user/token-create", {"legalUsers": ["*"]})[1]["token"]
    by_token = callers("admin", for_all)
    assert by_token("/user/userInfo")[1]["userName"] == "admin"
    opened = callers()
    opened.http.post("/user/token-login", headers=by_token.http.headers)
    assert opened("/user/userInfo")[1]["userName"] == "admin"
    assert anna("/user/token-create", {"legalUsers": ["nobody"]}) == (400, "legalUsers")
    assert anna("/user/update", {"userName": "anna", "isAdmin": False}) == (403, "isAdmin")
    assert admin("/user/update", {"userName": "anna", "isAdmin": False})[0] == 200
    assert [caller("/user/userInfo")[0] for caller in (by_token, opened)] == [401, 401]
    assert anna.log_in("anna", PASSWORD) == 200
    assert not anna("/user/userInfo")[1]["isAdmin"]
    assert admin("/user/update", {"userName": "nobody", "isAdmin": True}) == (400, "userName")
