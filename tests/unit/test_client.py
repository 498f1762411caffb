"""The SDK without a service: what both clients have in common, and what they do when the service does not answer."""

from __future__ import annotations

import inspect
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import headgate.http
import httpx2
import pytest
from headgate import AsyncClient, AsyncJob, AsyncResultSet, Client, Job, Refused, ResultSet, Unreachable
from headgate.values import Update

Answer = Callable[[httpx2.Request], httpx2.Response]
WHERE = ("http://here:9001", "alice", "T")


@pytest.mark.parametrize(("blocking", "waiting"), [(Client, AsyncClient), (Job, AsyncJob), (ResultSet, AsyncResultSet)])
def test_both_clients_offer_the_same(blocking: type, waiting: type) -> None:
    def public(kind: type) -> dict[str, Any]:
        return {name: value for name, value in vars(kind).items() if not name.startswith("_") and name != "over"}

    mine, theirs = public(blocking), public(waiting)
    assert list(mine) == list(theirs)
    for name, method in mine.items():
        other = theirs[name]
        assert (inspect.getdoc(method) or "").replace("`with`", "`async with`") == inspect.getdoc(other), name
        if not isinstance(method, property):
            assert list(inspect.signature(method).parameters.values()) == list(
                inspect.signature(other).parameters.values()
            ), name


def told(kind: str, number: int, **data: object) -> str:
    return f"event: {kind}\nid: {number}\ndata: {json.dumps(data)}\n\n"


def lines(first: int, last: int) -> str:
    text = "\n".join(f"line {number}" for number in range(first, last + 1))
    return told("log", last, log=["", "", text, text], fromLine=last)


class Cut(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A body that breaks off after its text."""

    def __init__(self, text: str) -> None:
        self._text = text.encode()

    def __iter__(self) -> Iterator[bytes]:
        yield self._text
        raise httpx2.ReadError("reset")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._text
        raise httpx2.ReadError("reset")


class Scripted:
    """Answers one after the other, and what was asked; None is a refused connection."""

    def __init__(self, *answers: httpx2.Response | None) -> None:
        self.asked: list[httpx2.Request] = []
        self._answers = list(answers)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        answer = self._answers.pop(0)
        if answer is None:
            raise httpx2.ConnectError("refused")
        return answer


def good(**data: object) -> httpx2.Response:
    return httpx2.Response(200, json={"status": 0, "message": "OK", "data": data})


def busy() -> httpx2.Response:
    data = {"errorMsg": {"desc": "not ready", "errCode": 10013}}
    return httpx2.Response(503, json={"status": 1, "message": "not ready", "data": data})


def stopped() -> httpx2.Response:
    return httpx2.Response(500, text="Internal Server Error")


def stream(text: str, *, cut: bool = False) -> httpx2.Response:
    head = {"content-type": "text/event-stream"}
    return (
        httpx2.Response(200, headers=head, stream=Cut(text)) if cut else httpx2.Response(200, headers=head, text=text)
    )


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_pause(*_: object) -> None: ...

    for wire in ("Blocking", "Waiting"):
        monkeypatch.setattr(f"headgate.wire.{wire}.sleep", no_pause)


async def watched(script: Scripted, asynchronous: bool) -> list[Update]:
    if asynchronous:
        async with AsyncClient(*WHERE, transport=httpx2.MockTransport(script)) as client:
            return [update async for update in client.job(7).watch()]
    with Client(*WHERE, transport=httpx2.MockTransport(script)) as client:
        return list(client.job(7).watch())


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_job_is_watched_through_broken_connections_and_a_restart(asynchronous: bool) -> None:
    start = told("status", 0, status="Running") + told("progress", 0, progress=0.5, progressInfo=[])
    half = 'event: log\nid: 9\ndata: {"log'
    end = (
        told("status", 4, status="Succeed")
        + told("progress", 4, progress=1.0, progressInfo=[])
        + lines(5, 5)
        + told("news", 5, of="a later version")
        + told("end", 5, status="Succeed")
    )
    script = Scripted(
        stream(start + lines(1, 2) + half, cut=True), None, busy(), stream(start + lines(3, 4)), None, None, stream(end)
    )
    updates = await watched(script, asynchronous)
    assert [line for update in updates for line in update.lines] == [f"line {number}" for number in range(1, 6)]
    assert [request.headers["Last-Event-ID"] for request in script.asked] == ["0", "2", "2", "2", "4", "4", "4"]
    assert {request.url.path for request in script.asked} == {"/api/rest_j/v1/entrance/7/events"}
    assert [update.ended for update in updates] == [False] * (len(updates) - 1) + [True]
    last = updates[-1]
    assert (last.status, last.progress.fraction, last.line) == ("Succeed", 1.0, 5)
    # nobody is told of an end with half of the progress
    assert {(update.status, update.progress.fraction) for update in updates} == {
        ("Running", 0.0),
        ("Running", 0.5),
        ("Succeed", 1.0),
    }


async def test_a_service_that_stays_away_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    for patience in ("CONNECT_SECONDS", "RESTART_SECONDS"):
        monkeypatch.setattr(headgate.http, patience, -1.0)
    script = Scripted(stream(lines(1, 1), cut=True), None)
    with pytest.raises(Unreachable, match="nothing answers at http://here:9001"):
        await watched(script, asynchronous=False)
    # streams that tell nothing do not go on for ever
    with pytest.raises(Unreachable, match="the events ended before the job did"):
        await watched(Scripted(stream("")), asynchronous=True)


async def test_patience_begins_anew_with_each_news(monkeypatch: pytest.MonkeyPatch) -> None:
    hours = iter(range(0, 10**6, 3600))
    monkeypatch.setattr("headgate.http.time.monotonic", lambda: next(hours))
    broken = [stream(lines(number, number), cut=True) for number in range(1, 5)]
    monkeypatch.setattr(headgate.http, "RESTART_SECONDS", 3 * 3600)  # each look at the clock is an hour later
    updates = await watched(Scripted(*broken, stream(told("end", 4, status="Succeed"))), asynchronous=False)
    assert [line for update in updates for line in update.lines] == [f"line {number}" for number in range(1, 5)]


async def test_a_job_that_is_unknown_is_not_tried_again() -> None:
    unknown = {"status": 1, "message": "there is no such job", "data": {}}
    for asynchronous in (False, True):
        with pytest.raises(Refused, match="there is no such job"):
            await watched(Scripted(httpx2.Response(400, json=unknown)), asynchronous)


def test_waiting_asks_for_the_change_and_not_again_and_again() -> None:
    states = [good(status=status) for status in ("Scheduled", "Running", "Succeed")]
    script = Scripted(states[0], None, busy(), stopped(), *states[1:])
    with Client(*WHERE, transport=httpx2.MockTransport(script)) as client:
        assert client.job(7).wait() == "Succeed"
    assert [request.url.params["wait"] for request in script.asked] == ["30"] * 6
    script = Scripted(*[good(status="Running") for _ in range(2)])
    with Client(*WHERE, transport=httpx2.MockTransport(script)) as client, pytest.raises(TimeoutError):
        client.job(7).wait(0)
    assert [request.url.params["wait"] for request in script.asked] == ["0"]


async def test_a_password_is_exchanged_once() -> None:
    def script() -> Scripted:
        cookie = {"set-cookie": f"{headgate.http.TICKET}=K; Path=/"}
        data = {"status": 0, "message": "OK", "data": {}}
        return Scripted(httpx2.Response(200, json=data, headers=cookie), good(tasks=[]), good(tasks=[]))

    def check(asked: list[httpx2.Request]) -> None:
        assert [request.url.path.rpartition("/")[2] for request in asked] == ["login", "list", "list"]
        assert {request.headers["Cookie"] for request in asked[1:]} == {f"{headgate.http.TICKET}=K"}
        assert json.loads(asked[0].content) == {"userName": "alice", "password": "P"}

    blocking, waiting = script(), script()
    with Client(*WHERE[:2], password="P", transport=httpx2.MockTransport(blocking)) as client:
        assert client.credentials.ticket == "K" and client.jobs() == client.jobs() == []
    async with AsyncClient(*WHERE[:2], password="P", transport=httpx2.MockTransport(waiting)) as other:
        assert await other.jobs() == await other.jobs() == [] and other.credentials.ticket == "K"
    check(blocking.asked)
    check(waiting.asked)


def test_what_was_refused_for_a_while_says_so_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headgate.http, "CONNECT_SECONDS", -1.0)
    with Client(*WHERE, transport=httpx2.MockTransport(Scripted(busy()))) as client, pytest.raises(Refused) as refused:
        client.job(7).status()
    assert str(refused.value) == "not ready" and refused.value.code == 10013


def test_a_failure_that_the_service_tells_is_not_tried_again() -> None:
    broken = {"status": 1, "message": "something failed here", "data": {}}
    script = Scripted(httpx2.Response(500, json=broken))
    with Client(*WHERE, transport=httpx2.MockTransport(script)) as client, pytest.raises(Refused, match="failed here"):
        client.job(7).status()


def test_a_submit_is_repeated_under_its_key_and_nothing_else_that_posts_is() -> None:
    script = Scripted(None, busy(), good(taskID=7), None)
    with Client(*WHERE, transport=httpx2.MockTransport(script)) as client:
        assert client.submit("SELECT 1").id == 7
        assert len({request.headers["Idempotency-Key"] for request in script.asked}) == 1
        with pytest.raises(Unreachable):
            client.create_user("bob", "long enough")
    assert len(script.asked) == 4


def test_arrow_comes_while_it_is_made() -> None:
    """So that no more of it is in memory than a chunk."""
    made: list[bytes] = []

    class Made(httpx2.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            for number in range(3):
                made.append(bytes([number]) * 100_000)
                yield made[-1]

    page = good(metadata=[{"columnName": "a", "dataType": "int"}], fileContent=[])
    tree = good(dirFileTrees={"children": [{"path": "p"}]})
    history = good(task={"resultLocation": "r"})
    script = Scripted(history, tree, page, httpx2.Response(200, stream=Made()))
    with Client(*WHERE, transport=httpx2.MockTransport(script)) as client:
        chunks = client.job(7).result().arrow(5)
        assert next(chunks) == made[0] and len(made) == 1
        assert b"".join(chunks) == made[1] + made[2]
    assert dict(script.asked[-1].url.params) == {"format": "arrow", "rows": "5"}


def test_an_arrow_stream_that_breaks_off_is_no_short_result() -> None:
    page = good(metadata=[{"columnName": "a", "dataType": "int"}], fileContent=[])
    tree = good(dirFileTrees={"children": [{"path": "p"}]})
    script = Scripted(good(task={"resultLocation": "r"}), tree, page, httpx2.Response(200, stream=Cut("half")))
    with Client(*WHERE, transport=httpx2.MockTransport(script)) as client, pytest.raises(Unreachable):
        list(client.job(7).result().arrow())
