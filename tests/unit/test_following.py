"""When a task is given up."""

from __future__ import annotations

import pytest

from commons.process.errors import Unavailable
from protocol import codes
from services.entrance.following import given_up


@pytest.mark.parametrize(
    ("code", "lost", "expected"),
    [
        (codes.UNREACHABLE, True, True),
        (codes.UNREACHABLE, False, False),
        (codes.NOT_WRITTEN, True, False),
    ],
)
def test_a_task_is_given_up_when_its_engine_is_lost_and_its_node_silent(code: int, lost: bool, expected: bool) -> None:
    assert given_up(Unavailable(code, "why"), lost) == expected
