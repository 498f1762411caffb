"""Logging in and out, and what is told to those who have not."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from tests.conftest import Service
from tests.support.rest import PREFIX, shape

TICKET = "linkis_user_session_ticket_id_v1"


@pytest.fixture
def http(service: Service) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=service.url + PREFIX) as client:
        yield client


def test_log_in_log_out(http: httpx2.Client, service: Service) -> None:
    reply = http.post("/user/login", json={"userName": service.user, "password": service.password})
    answer = reply.json()
    assert (reply.status_code, answer["method"], answer["status"]) == (200, None, 0)
    assert answer["message"] == "login successful(登录成功)！"
    assert shape(answer["data"]) == {
        "enableWatermark": "bool", "sessionTimeOut": "int", "isAdmin": "bool", "userName": "str",
    }  # fmt: skip
    assert (answer["data"]["isAdmin"], answer["data"]["userName"]) == (True, "admin")
    cookie = reply.headers["set-cookie"]
    assert cookie.startswith(f"{TICKET}=") and "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/" in cookie
    again = http.post("/user/login", json={}).json()
    assert again["data"] == {"userName": "admin"} and again["message"].startswith("admin already logged in")
    who = http.get("/user/userInfo").json()
    assert (who["method"], who["message"]) == (None, "get user information succeed!")
    assert who["data"] == {"userName": "admin", "isAdmin": True}
    ticket = http.cookies[TICKET]
    out = http.post("/user/logout")
    assert (out.status_code, out.json()["message"]) == (200, "Logout successful(退出登录成功)！")
    assert TICKET not in http.cookies
    assert http.get("/user/userInfo", headers={"Cookie": f"{TICKET}={ticket}"}).status_code == 401


def test_log_in_by_query_needs_no_body(http: httpx2.Client, service: Service) -> None:
    reply = http.post("/user/login", params={"userName": service.user, "password": service.password})
    assert reply.status_code == 200 and http.get("/user/userInfo").status_code == 200


def test_a_token_opens_a_session(http: httpx2.Client, service: Service) -> None:
    headers = {"Token-Code": service.token, "Token-User": service.user}
    reply = http.post("/user/token-login", headers=headers)
    answer = reply.json()
    assert (reply.status_code, answer["method"], answer["message"]) == (200, None, "login successful(登录成功)！")
    assert answer["data"] == {"isAdmin": True, "userName": "admin"} and "HttpOnly" in reply.headers["set-cookie"]
    assert http.get("/user/userInfo").json()["data"]["userName"] == "admin"
    assert http.post("/user/token-login", headers={**headers, "Token-Code": "made-up"}).status_code == 401


def test_what_consoles_ask(http: httpx2.Client, service: Service) -> None:
    key = http.get("/user/publicKey").json()
    assert key["message"] == "Gain success(获取成功)！"
    assert key["data"] == {"enableSSL": False, "enableLoginEncrypt": False}
    assert [http.get(f"/user/{route}").status_code for route in ("heartbeat", "baseinfo")] == [401, 401]
    http.post("/user/login", json={"userName": service.user, "password": service.password})
    alive = http.get("/user/heartbeat").json()
    assert (alive["method"], alive["message"], alive["data"]) == (None, "Maintain heartbeat success(维系心跳成功)", {})
    assert http.get("/user/baseinfo").json()["data"] == {
        "resultSetExportEnable": True, "engineLogOnlyAdminEnable": False, "linkisClusterName": "",
    }  # fmt: skip
