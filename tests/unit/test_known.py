"""Who has shown who he is, for a moment."""

from __future__ import annotations

import pytest

from services.entrance import known
from services.entrance.known import Known


def test_what_changes_forgets_everybody_and_what_was_being_read() -> None:
    who: Known[str] = Known()
    before = who.version
    who.learn("ticket", "alice", before)
    assert who.find("ticket") == "alice" and who.find("other") is None
    who.forget()
    who.learn("ticket", "alice", before)  # from rows that were read before the change
    assert who.find("ticket") is None
    who.learn("ticket", "alice", who.version, at_most_seconds=0)
    assert who.find("ticket") is None, "it has expired"


def test_it_holds_only_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "MOST", 3)
    who: Known[int] = Known()
    for number in range(7):
        who.learn(str(number), number, who.version)
    assert [who.find(str(number)) for number in range(7)] == [None] * 4 + [4, 5, 6]


def test_whom_nobody_asks_for_any_more_is_forgotten() -> None:
    who: Known[int] = Known()
    who.learn("gone", 1, who.version, at_most_seconds=0)
    who.learn("here", 2, who.version)
    assert list(who._known) == ["here"]
