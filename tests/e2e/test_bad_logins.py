"""Passwords, tickets and tokens that are wrong, foreign or out of date, on every route."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import httpx2
import pytest

from services.entrance.tries import BY_USER
from tests.conftest import Service, start, stop
from tests.support.rest import PREFIX, Rest, fault, shape
from tests.support.routes import ROUTES, Route

TICKET = "linkis_user_session_ticket_id_v1"
NOT_LOGGED_IN = "You are not logged in, please login first(您尚未登录，请先登录)!"
NO_TOKEN = "Token Authentication Failed: Invalid Token for this Token-User(无效令牌)"
WRONG = "wrong user name or password(用户名或密码错误)！"
NO_NAME, NO_PASSWORD = "Username can not be empty(用户名不能为空)！", "Password can not be blank(密码不能为空)！"


@pytest.fixture
def nobody(service: Service) -> Iterator[Rest]:
    """Calls without a token."""
    rest = Rest(service)
    for name in ("Token-Code", "Token-User"):
        rest.http.headers.pop(name)
    yield rest
    rest.http.close()


@pytest.fixture(scope="module")
def brief(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Another service, where a log-in lasts for half a second."""
    home = tmp_path_factory.mktemp("brief") / "home"
    running = start(home, HEADGATE_ENGINES="shell", HEADGATE_SESSION_SECONDS="0.5")
    yield running
    stop(running)


def log_in(http: httpx2.Client, name: object, password: object) -> httpx2.Response:
    return http.post(f"{PREFIX}/user/login", json={"userName": name, "password": password})


@pytest.mark.parametrize(
    ("name", "password", "message"),
    [
        ("admin", "wrong", WRONG), ("nobody", "wrong", WRONG), ("Admin", "wrong", WRONG),
        ("adm\u0130n", "wrong", WRONG),
        ("' OR '1'='1", "' OR '1'='1", WRONG), ("x" * 60_000, "wrong", WRONG), ("nobody", "x" * 60_000, WRONG),
        ("", "wrong", NO_NAME), (None, "wrong", NO_NAME), (1, "wrong", NO_NAME), ([], "wrong", NO_NAME),
        ("admin", "", NO_PASSWORD), ("admin", None, NO_PASSWORD), ("admin", True, NO_PASSWORD),
    ],
)  # fmt: skip
def test_a_failed_log_in_says_no_more_than_it_must(nobody: Rest, name: object, password: object, message: str) -> None:
    began = time.monotonic()
    reply = log_in(nobody.http, name, password)
    said = fault(reply)
    assert (said.http, said.code, said.message) == (400, 0, message)
    assert shape(reply.json()["data"]) == {"enableWatermark": "bool", "sessionTimeOut": "int"}
    assert "set-cookie" not in reply.headers
    assert message != WRONG or time.monotonic() - began >= 0.5, "a wrong password costs time"


def test_a_body_that_nobody_vouches_for_is_short(nobody: Rest) -> None:
    said = fault(log_in(nobody.http, "admin", "x" * 70_000))
    assert (said.http, said.code, said.field) == (413, 20010, "body")
    said = fault(log_in(nobody.http, "admin", "\0"))
    assert (said.http, said.field) == (400, "password")


def test_who_guesses_waits_and_nobody_else_does(nobody: Rest, rest_of: Callable[[str], Rest], service: Service) -> None:
    rest_of("guessed")
    for _ in range(BY_USER.free):
        assert log_in(nobody.http, "guessed", "a wrong one").status_code == 400
    reply = log_in(nobody.http, "guessed", "long enough")
    said = fault(reply)
    assert (said.http, said.code, said.field) == (429, 100021, "password") and "try again in" in said.message
    assert log_in(nobody.http, service.user, service.password).status_code == 200
    nobody.http.cookies.clear()
    time.sleep(int(reply.headers["Retry-After"]))
    assert log_in(nobody.http, "guessed", "long enough").status_code == 200


def test_an_old_password_is_not_guessed_either(rest_of: Callable[[str], Rest]) -> None:
    caller, guess = rest_of("stolen"), {"password": "another one", "oldPassword": "a wrong one"}
    said = [fault(caller.http.post(f"{PREFIX}/user/update", json=guess)) for _ in range(BY_USER.free + 1)]
    assert [(each.http, each.field) for each in said[:-1]] == [(400, "oldPassword")] * BY_USER.free
    assert (said[-1].http, said[-1].code) == (429, 100021)


@pytest.mark.parametrize("route", [route for route in ROUTES if route.needs_log_in], ids=str)
def test_every_route_asks_who_is_there(nobody: Rest, service: Service, route: Route) -> None:
    wrong = {"Token-Code": "made-up", "Token-User": service.user}
    cookies = "; ".join(f"{name}={value}" for name, value in wrong.items())
    for headers, message in (
        ({}, NOT_LOGGED_IN), ({"Cookie": f"{TICKET}=made-up"}, NOT_LOGGED_IN),
        (wrong, NO_TOKEN), ({"Cookie": cookies}, NO_TOKEN),
    ):  # fmt: skip
        reply = route.ask(nobody, headers=headers)
        assert (fault(reply).http, reply.json()["message"], reply.json()["data"]) == (401, message, {})
        assert reply.json()["method"].startswith(PREFIX) and "made-up" not in reply.text


def test_only_these_routes_are_for_anybody() -> None:
    assert {str(route) for route in ROUTES if not route.needs_log_in} == {"login", "logout", "publicKey"}


TICKETS = ["", "x", "x" * 43, "x" * 30_000, "%00", "a%3Db", "..", '"', "é"]


@pytest.mark.parametrize("ticket", TICKETS)
def test_a_ticket_that_is_none_opens_nothing(nobody: Rest, ticket: str) -> None:
    cookie = f"{TICKET}={ticket}".encode("latin-1")
    reply = nobody.http.get(f"{PREFIX}/user/userInfo", headers={"Cookie": cookie})
    assert (fault(reply).http, reply.json()["message"]) == (401, NOT_LOGGED_IN)


@pytest.mark.parametrize("token", ["x", "x" * 43, "x" * 30_000, "é", "%00", "LINKIS-AUTH"])
@pytest.mark.parametrize("user", ["admin", "", "nobody", "é", "x" * 30_000])
def test_a_token_that_is_none_opens_nothing(nobody: Rest, token: str, user: str) -> None:
    headers = {"Token-Code": token.encode("latin-1"), "Token-User": user.encode("latin-1")}
    for route in ("userInfo", "token-login"):
        send = nobody.http.get if route == "userInfo" else nobody.http.post
        reply = send(f"{PREFIX}/user/{route}", headers=headers)
        assert (fault(reply).http, reply.json()["message"]) == (401, NO_TOKEN)
        assert "set-cookie" not in reply.headers


def told(rest: Rest, headers: dict[str, str]) -> tuple[int, str]:
    """HTTP status and message of who asks with these headers."""
    reply = rest.http.get(f"{PREFIX}/user/userInfo", headers=headers)
    return reply.status_code, "" if reply.status_code == 200 else reply.json()["message"]


def test_a_ticket_ends_and_is_good_nowhere_else(nobody: Rest, brief: Service) -> None:
    with httpx2.Client(base_url=brief.url) as http:
        assert log_in(http, brief.user, brief.password).status_code == 200
        ticket = {"Cookie": f"{TICKET}={http.cookies[TICKET]}"}
        assert told(nobody, ticket) == (401, NOT_LOGGED_IN), "it is foreign here"
        time.sleep(0.6)
        reply = http.get(f"{PREFIX}/user/userInfo", headers=ticket)
        assert (reply.status_code, reply.json()["message"]) == (401, NOT_LOGGED_IN)
    foreign = {"Token-Code": brief.token, "Token-User": brief.user}
    assert told(nobody, foreign) == (401, NO_TOKEN)


def test_a_token_is_for_its_users_and_its_time(rest: Rest, rest_of: Callable[[str], Rest]) -> None:
    def made(**wanted: object) -> dict[str, object]:
        reply = rest.http.post(f"{PREFIX}/user/token-create", json={"legalUsers": ["lender"], **wanted})
        return dict(reply.json()["data"])

    rest_of("lender")
    lasting, short = made(), made(expireDays=0.5 / 86_400)
    for token in (lasting, short):
        token["headers"] = {"Token-Code": token["token"], "Token-User": "lender"}
    assert told(rest, {**lasting["headers"], "Token-User": "admin"}) == (401, NO_TOKEN)  # type: ignore[dict-item]
    time.sleep(0.6)
    assert told(rest, short["headers"]) == (401, NO_TOKEN)  # type: ignore[arg-type]
    assert told(rest, lasting["headers"]) == (200, "")  # type: ignore[arg-type]
    rest.http.post(f"{PREFIX}/user/token-revoke", json={"id": lasting["id"]})
    assert told(rest, lasting["headers"]) == (401, NO_TOKEN)  # type: ignore[arg-type]


USERS = [
    ("create", {"userName": "a b", "password": "long enough"}, 400, "userName"),
    ("create", {"userName": "..", "password": "long enough"}, 400, "userName"),
    ("create", {"userName": "x" * 21, "password": "long enough"}, 400, "userName"),
    ("create", {"userName": 7, "password": "long enough"}, 400, "userName"),
    ("create", {"userName": "fresh", "password": "short"}, 400, "password"),
    ("create", {"userName": "fresh", "password": "x" * 201}, 400, "password"),
    ("create", {"userName": "fresh", "password": "long enough", "isAdmin": "yes"}, 400, "isAdmin"),
    ("create", {"userName": "admin", "password": "long enough"}, 409, "userName"),
    ("update", {"userName": "x" * 100_000, "password": "long enough"}, 400, "userName"),
    ("update", {"userName": "fresh", "isAdmin": 1}, 400, "isAdmin"),
    ("update", {"userName": "fresh"}, 400, "password"),
    ("token-create", {"legalUsers": ["admin"] * 3 + ["nobody"]}, 400, "legalUsers"),
    ("token-create", {"legalUsers": [f"u{number}" for number in range(101)]}, 400, "legalUsers"),
    ("token-create", {"legalUsers": [["admin"]]}, 400, "legalUsers"),
    ("token-create", {"expireDays": 0}, 400, "expireDays"),
    ("token-create", {"expireDays": 10**300}, 400, "expireDays"),
    ("token-create", {"expireDays": 1e308}, 400, "expireDays"),
    ("token-create", {"expireDays": True}, 400, "expireDays"),
    ("token-revoke", {"id": 10**300}, 400, "id"),
    ("token-revoke", {"id": -1}, 400, "id"),
    ("token-revoke", {"id": 1.5}, 400, "id"),
]


@pytest.mark.parametrize(("action", "body", "http", "field"), USERS)
def test_users_and_tokens_that_cannot_be_are_refused(
    rest: Rest, action: str, body: dict[str, object], http: int, field: str
) -> None:
    before = rest.http.get(f"{PREFIX}/user/list").json()
    said = fault(rest.http.post(f"{PREFIX}/user/{action}", json=body))
    assert (said.http, said.field) == (http, field) and len(said.message) < 300
    assert rest.http.get(f"{PREFIX}/user/list").json() == before
