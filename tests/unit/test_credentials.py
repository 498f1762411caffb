"""Where a client goes and as whom, and what a service writes for its owner: files and environment only."""

from __future__ import annotations

import json
from pathlib import Path

import httpx2
import pytest
from headgate import Client, NotLoggedIn, Unreachable, credentials
from headgate.credentials import Credentials

from services.entrance.credentials import write_fresh, write_url

HERE, THERE = "http://here:9001", "http://there:9001"


@pytest.fixture(autouse=True)
def _nothing_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("URL", "USER", "TOKEN"):
        monkeypatch.delenv(f"HEADGATE_{name}", raising=False)
    monkeypatch.setenv("HEADGATE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def keep(path: Path, **what: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(what))


def saved(url: str = HERE, user: str = "alice", ticket: str = "kept-ticket") -> None:
    keep(credentials.saved_path(), url=url, user=user, ticket=ticket)


def at_home(url: str = HERE, user: str = "admin", token: str = "home-token") -> None:
    keep(credentials.home_path(), url=url, user=user, password="secret", token=token)


def found(url: str | None = None, user: str | None = None, token: str | None = None) -> tuple[str, str, str]:
    """URL, user and secret."""
    it = credentials.find(url, user, token)
    assert not (it.token and it.ticket)
    return it.url, it.user, it.token or it.ticket


def test_arguments_come_first_then_environment_then_login_then_home(monkeypatch: pytest.MonkeyPatch) -> None:
    at_home()
    assert found() == (HERE, "admin", "home-token")
    saved(THERE)
    assert found() == (THERE, "alice", "kept-ticket")
    monkeypatch.setenv("HEADGATE_URL", "http://env:1")
    monkeypatch.setenv("HEADGATE_USER", "eve")
    monkeypatch.setenv("HEADGATE_TOKEN", "env-token")
    assert found() == ("http://env:1", "eve", "env-token")
    assert found("http://flag:1", "frank", "flag-token") == ("http://flag:1", "frank", "flag-token")
    assert found(token="flag-token") == ("http://env:1", "eve", "flag-token")


def test_a_url_that_is_named_chooses_what_is_kept_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    saved(THERE)
    at_home(HERE)
    assert found(HERE) == (HERE, "admin", "home-token")
    monkeypatch.setenv("HEADGATE_URL", HERE)
    assert found() == (HERE, "admin", "home-token")
    assert found(THERE) == (THERE, "alice", "kept-ticket")


def test_a_user_that_is_named_chooses_what_is_kept_for_him(monkeypatch: pytest.MonkeyPatch) -> None:
    saved()
    at_home()
    assert found(user="admin") == (HERE, "admin", "home-token")
    monkeypatch.setenv("HEADGATE_USER", "admin")
    assert found() == (HERE, "admin", "home-token")
    assert found(user="alice") == (HERE, "alice", "kept-ticket")


@pytest.mark.parametrize(("url", "user"), [("http://other:1", None), (None, "bob"), (THERE, "admin"), (HERE, "alice")])
def test_a_kept_secret_is_for_its_url_and_user_only(url: str | None, user: str | None) -> None:
    saved(THERE, "alice")
    at_home(HERE, "admin")
    with pytest.raises(NotLoggedIn, match=r"not logged in at .*headgate login"):
        found(url, user)


def test_a_token_of_the_environment_is_for_the_environments_url_and_user_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADGATE_URL", HERE)
    monkeypatch.setenv("HEADGATE_USER", "eve")
    monkeypatch.setenv("HEADGATE_TOKEN", "env-token")
    for url, user in ((THERE, None), (None, "bob"), (THERE, "eve")):
        with pytest.raises(NotLoggedIn):
            found(url, user)
    monkeypatch.delenv("HEADGATE_URL")
    assert found(THERE) == (THERE, "eve", "env-token")


def test_a_token_without_its_user_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    saved()
    monkeypatch.setenv("HEADGATE_TOKEN", "env-token")
    with pytest.raises(NotLoggedIn, match="set HEADGATE_USER"):
        found()
    assert found(user="alice") == (HERE, "alice", "env-token")


@pytest.mark.parametrize(
    "text", ["", "[]", '"x"', "{}", '{"url": "http://x"}', '{"url": "http://x", "user": "u"}', "\0"]
)
def test_a_file_that_does_not_help_is_passed_over(text: str) -> None:
    at_home()
    saved()
    credentials.saved_path().write_text(text)
    assert found() == (HERE, "admin", "home-token")


def test_a_url_is_the_same_with_a_slash_or_without_its_scheme() -> None:
    at_home("http://here:9001/")
    assert found("here:9001") == found("http://here:9001/") == (HERE, "admin", "home-token")


def test_a_login_is_saved_for_its_owner_only() -> None:
    credentials.saved_path().parent.mkdir(parents=True)
    credentials.saved_path().write_text("old, and readable by all")
    path = credentials.save(Credentials(HERE, "alice", ticket="new"))
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["credentials.json"]
    assert found() == (HERE, "alice", "new")


def test_secrets_are_not_shown() -> None:
    assert "s3cret" not in repr(Credentials(HERE, "alice", "s3cret", "s3cret"))


def test_what_is_kept_is_sent_and_nothing_else() -> None:
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, json={"status": 0, "message": "OK", "data": {"status": "Succeed"}})

    for secret in ({"token": "T"}, {"ticket": "K"}):
        keep(credentials.saved_path(), url=HERE, user="alice", **secret)
        client = Client(transport=httpx2.MockTransport(answer))
        assert client.job(1).status() == "Succeed"
        client.close()
    with_token, with_ticket = seen
    assert (with_token.headers["Token-Code"], with_token.headers["Token-User"]) == ("T", "alice")
    assert "Cookie" not in with_token.headers and "Token-Code" not in with_ticket.headers
    assert with_ticket.headers["Cookie"] == "linkis_user_session_ticket_id_v1=K"


def test_an_ended_login_and_a_dead_service_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    saved()

    def expired(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(401, json={"status": -1, "message": "您尚未登录", "data": None})

    def dead(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    for answer, kind, said in (
        (expired, NotLoggedIn, "does not take the log-in of alice.*headgate login"),
        (dead, Unreachable, "nothing answers at http://here:9001 .*credentials.json.*is the service up"),
    ):
        client = Client(transport=httpx2.MockTransport(answer))
        with pytest.raises(kind, match=said):
            client.job(1).status()
        client.close()


def test_a_password_needs_url_and_user() -> None:
    at_home()
    with pytest.raises(NotLoggedIn, match="give both"):
        Client(password="secret")


def test_the_service_rewrites_its_url_and_keeps_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    write_fresh(path, HERE, "password", "token")
    expected = {"url": HERE, "user": "admin", "password": "password", "token": "token"}
    assert json.loads(path.read_text()) == expected and path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    write_url(path, THERE)
    assert json.loads(path.read_text()) == expected | {"url": THERE} and path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["credentials.json"]


@pytest.mark.parametrize("text", [None, "", "[]", '"x"', "{"])
def test_the_service_invents_no_secrets_for_a_file_that_is_gone_or_broken(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "credentials.json"
    if text is not None:
        path.write_text(text)
    write_url(path, HERE)
    assert (path.read_text() if path.exists() else None) == text
