"""Who may use a shell, as whom, and settings that would not keep users apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from commons.process.errors import Invalid, Refused
from commons.process.settings import Settings
from services.entrance.intake import Intake, JobRequest
from services.entrance.users import Asker
from services.entrance.wire.jobs import Submit


def intake(**settings: str) -> Intake:
    given = {"home": "/h", "workspaces": "/w", "engines": "shell", **settings}
    return Intake(Settings(**given))  # type: ignore[arg-type]


def accept(intake: Intake, user: str, *, is_admin: bool = False) -> JobRequest:
    return intake.accept(Submit("echo", "shell", "shell", user, "IDE"), Asker(user, is_admin=is_admin), 0)


def test_a_shell_is_for_administrators_and_for_who_has_an_os_user() -> None:
    here = intake(shell_users="alice=ali,carol=car")
    assert accept(here, "alice").os_user == "ali" and accept(here, "carol").os_user == "car"
    assert accept(here, "root", is_admin=True).os_user == ""
    assert accept(here, "alice", is_admin=True).os_user == "ali"
    with pytest.raises(Refused, match="administrators only, and for users whom HEADGATE_SHELL_USERS"):
        accept(here, "bob")
    with pytest.raises(Refused):
        accept(intake(), "alice")


def test_an_engine_of_another_os_user_does_not_do() -> None:
    before = accept(intake(), "alice", is_admin=True)
    mine, other = (accept(intake(shell_users=f"alice={name}"), "alice") for name in ("ali", "alf"))
    assert len({job.labels(1) for job in (before, mine, other)}) == 3
    assert JobRequest.from_json(mine.to_json()).labels(2).get("os_user") == "ali"


@pytest.mark.parametrize(
    ("users", "more", "said"),
    [
        ("alice=ali,bob=ali", {}, "each needs one of his own"),
        ("alice=ali,alice=al", {}, "names a user twice"),
        ("alice=root", {}, "OS user root"),
        ("alice=ali", {"workspaces": ""}, "needs HEADGATE_WORKSPACES"),
        ("alice=ali", {"workspaces": "/h/inside"}, "needs HEADGATE_WORKSPACES"),
    ],
)
def test_settings_that_keep_nobody_apart_are_refused(users: str, more: dict[str, str], said: str) -> None:
    with pytest.raises(Invalid, match=said) as caught:
        intake(shell_users=users, **more)
    assert caught.value.field == "HEADGATE_SHELL_USERS"


@pytest.mark.parametrize("users", ["alice", "alice=", "=ali", "alice=ali,", "alice=a b"])
def test_the_setting_is_a_list_of_pairs(users: str) -> None:
    with pytest.raises(ValueError, match="shell_users"):
        Settings(shell_users=users)


def test_workspaces_lie_in_the_home_or_where_they_are_put() -> None:
    assert Settings(home=Path("/h")).workspaces_folder == Path("/h/workspace")
    assert Settings(home=Path("/h"), workspaces="/w").workspaces_folder == Path("/w")
