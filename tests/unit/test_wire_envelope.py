"""Linkis' envelope: its statuses, and how an error is told in it."""

from __future__ import annotations

import pytest

from commons.process.errors import (
    AlreadyExists,
    Broken,
    Conflict,
    Exhausted,
    HeadgateError,
    Invalid,
    NotFound,
    NotLoggedIn,
    Refused,
    Unavailable,
)
from services.entrance.wire import envelope

ADDRESS = ("10.0.0.1", 9001)


def test_a_good_answer_has_the_four_keys_in_order() -> None:
    assert list(envelope.ok("/api/entrance/submit", {"taskID": 1}).items()) == [
        ("method", "/api/entrance/submit"), ("status", 0), ("message", "OK"), ("data", {"taskID": 1}),
    ]  # fmt: skip


def test_an_answer_without_data_has_an_empty_object() -> None:
    assert envelope.ok(None) == {"method": None, "status": 0, "message": "OK", "data": {}}
    assert envelope.failed("/api/x", "no") == {"method": "/api/x", "status": 1, "message": "no", "data": {}}


def test_who_is_not_logged_in_is_told_so_with_minus_one() -> None:
    assert envelope.not_logged_in("/api/rest_j/v1/jobhistory/list") == {
        "method": "/api/rest_j/v1/jobhistory/list",
        "status": -1,
        "message": "You are not logged in, please login first(您尚未登录，请先登录)!",
        "data": {},
    }


@pytest.mark.parametrize(
    ("http", "status"),
    [
        (200, 0),
        (400, 1),
        (401, -1),
        (412, 2),
        (403, 3),
        (206, 4),
        (404, 1),
        (409, 1),
        (413, 1),
        (429, 1),
        (500, 1),
        (503, 1),
    ],
)
def test_each_http_code_has_its_status(http: int, status: int) -> None:
    assert envelope.status_of_http(http) == status


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (Invalid, 1), (NotFound, 1), (NotLoggedIn, -1), (Refused, 3), (Exhausted, 1), (AlreadyExists, 1), (Conflict, 1),
        (Unavailable, 1), (Broken, 1),
    ],
)  # fmt: skip
def test_each_kind_of_error_has_its_status(kind: type[HeadgateError], status: int) -> None:
    assert envelope.error(None, kind(1, "no"), "t", ADDRESS)["status"] == status


def test_an_error_names_code_place_trace_and_field() -> None:
    fault = Invalid(20008, "labels are missing.", field="labels")
    assert envelope.error("/api/x", fault, "4bf92f3577b34da6", ADDRESS) == {
        "method": "/api/x",
        "status": 1,
        "message": "error code(错误码): 20008, error message(错误信息): labels are missing.",
        "data": {
            "errorMsg": {
                "serviceKind": "linkis-cg-entrance", "level": 2, "port": 9001, "errCode": 20008, "ip": "10.0.0.1",
                "desc": "labels are missing.",
            },
            "trace_id": "4bf92f3577b34da6",
            "field": "labels",
        },
    }  # fmt: skip


def test_an_error_of_no_field_names_none() -> None:
    data = envelope.error(None, Broken(100000, "something failed"), "t", ADDRESS)["data"]
    assert isinstance(data, dict) and list(data) == ["errorMsg", "trace_id"]


def test_the_message_ends_with_one_full_stop() -> None:
    for text in ("no", "no."):
        assert str(envelope.error(None, Invalid(1, text), "t", ADDRESS)["message"]).endswith(
            "error message(错误信息): no."
        )


def test_a_secret_in_an_errors_text_is_masked() -> None:
    body = envelope.error(None, Invalid(20010, "no engine 'token=a1b2c3'"), "t", ADDRESS)
    assert "a1b2c3" not in str(body) and "no engine 'token=***'" in str(body["message"])
