"""Beyond Linkis: submits that may be repeated, waiting for a status, and a job as a stream of events."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from headgate import Job

from tests import conftest
from tests.conftest import Service

SLOW = "for n in 1 2 3 4 5; do echo line $n; sleep 0.3; done"


def as_admin(service: Service) -> httpx2.Client:
    headers = {"Token-Code": service.token, "Token-User": service.user}
    return httpx2.Client(base_url=f"{service.url}/api/rest_j/v1", headers=headers, timeout=70)


@pytest.fixture
def http(service: Service) -> Iterator[httpx2.Client]:
    with as_admin(service) as client:
        yield client


def submit(http: httpx2.Client, code: str, key: str | None = None, **labels: str) -> httpx2.Response:
    body = {"executionContent": {"code": code, "runType": "shell"}, "labels": {"engineType": "shell-1", **labels}}
    return http.post("/entrance/submit", json=body, headers={} if key is None else {"Idempotency-Key": key})


def started(service: Service, http: httpx2.Client, code: str) -> Job:
    return service.client().job(submit(http, code).json()["data"]["taskID"])


def test_a_repeated_submit_is_one_job(service: Service, http: httpx2.Client) -> None:
    replies: list[int] = []
    many = [threading.Thread(target=lambda: replies.append(task(submit(http, "echo hi", "k1")))) for _ in range(8)]
    for one in many:
        one.start()
    for one in many:
        one.join()
    assert len(replies) == 8 and len({*replies, task(submit(http, "echo hi", "k1"))}) == 1
    assert service.client().job(replies[0]).wait(60) == "Succeed"
    assert task(submit(http, "echo hi", "k1")) == replies[0]
    assert task(submit(http, "echo hi", "k2")) != replies[0] != task(submit(http, "echo hi"))


def task(reply: httpx2.Response) -> int:
    assert reply.status_code == 200, reply.text
    return int(reply.json()["data"]["taskID"])


def test_a_key_is_for_one_submit_of_one_user(http: httpx2.Client) -> None:
    submit(http, "echo one", "k3")
    other = submit(http, "echo two", "k3")
    assert other.status_code == 409 and other.json()["data"]["field"] == "Idempotency-Key"
    for key in ("x" * 256, "a\tb"):
        wrong = submit(http, "echo", key)
        assert wrong.status_code == 400 and wrong.json()["data"]["field"] == "Idempotency-Key"


def test_a_refused_submit_gives_its_key_back(http: httpx2.Client) -> None:
    assert submit(http, " ", "k4").status_code == 400
    assert submit(http, "echo fine", "k4").status_code == 200


def test_what_intake_refuses_is_one_job_for_its_key_too(http: httpx2.Client) -> None:
    first, again = (submit(http, "echo ${run_date", "k5", engineType="nope-1") for _ in range(2))
    assert first.status_code == again.status_code == 400
    assert first.json()["data"]["taskID"] == again.json()["data"]["taskID"]
    assert submit(http, "echo other", "k5", engineType="nope-1").status_code == 409
    assert submit(http, "echo other", "k5").status_code == 409
    empty = submit(http, "echo x", "")
    assert empty.status_code == 400 and empty.json()["data"]["field"] == "Idempotency-Key"


def test_a_key_of_a_job_that_is_refused_later_leaves_the_job_as_it_is(tmp_path: Path) -> None:
    home, kept = tmp_path / "home", []
    for engines, code in (("shell", 200), ("flink", 400)):
        service = conftest.start(home, "--stop-engines", HEADGATE_ENGINES=engines)
        with as_admin(service) as http:
            reply = submit(http, "echo kept", "k6")
            assert reply.status_code == code
            kept.append(reply.json()["data"]["taskID"])
            job = service.client().job(kept[-1])
            assert job.wait(60) == "Succeed"
            assert [list(result.rows()) for result in job.results()] == [[["kept"]]]
        assert conftest.stop(service) == 0
    assert kept[0] == kept[1]


def test_status_waits_for_a_change(service: Service, http: httpx2.Client) -> None:
    job = started(service, http, "sleep 2")
    while job.status() != "Running":
        time.sleep(0.05)
    asked = time.monotonic()
    reply = http.get(f"/entrance/{job.id}/status", params={"wait": 60}).json()
    assert reply["data"]["status"] == "Succeed" and time.monotonic() - asked < 50
    again = http.get(f"/entrance/{job.id}/status", params={"wait": 60}).json()
    assert again["data"]["status"] == "Succeed" and time.monotonic() - asked < 50
    wrong = http.get(f"/entrance/{job.id}/status", params={"wait": 61})
    assert wrong.status_code == 400 and wrong.json()["data"]["field"] == "wait"


def events(
    http: httpx2.Client, job: Job, after: int = 0, most_logs: int = 10**6
) -> list[tuple[str, int, dict[str, object]]]:
    """(kind, number, data) of each event, until the end or until so many log events have come."""
    found: list[tuple[str, int, dict[str, object]]] = []
    with http.stream("GET", f"/entrance/{job.id}/events", headers={"Last-Event-ID": str(after)}) as reply:
        assert reply.status_code == 200 and reply.headers["content-type"].startswith("text/event-stream")
        kind, number = "", 0
        for line in reply.iter_lines():
            name, _, value = line.partition(": ")
            if name == "event":
                kind = value
            elif name == "id":
                number = int(value)
            elif name == "data":
                found.append((kind, number, json.loads(value)))
                if kind == "end" or sum(one[0] == "log" for one in found) >= most_logs:
                    break
    return found


def lines(found: list[tuple[str, int, dict[str, object]]]) -> list[str]:
    texts = [data["log"] for kind, _, data in found if kind == "log"]
    return [line for four in texts for line in four[3].split("\n")]  # type: ignore[index]


def test_events_tell_all_and_can_be_resumed(service: Service, http: httpx2.Client) -> None:
    job = started(service, http, SLOW)
    first = events(http, job, most_logs=2)
    rest = events(http, job, after=first[-1][1])
    assert [kind for kind, _, _ in rest][-1] == "end" and rest[-1][2]["status"] == "Succeed"
    assert lines(first) + lines(rest) == job.log()
    numbers = [number for _, number, _ in first + rest]
    assert numbers == sorted(numbers) and numbers[-1] == len(job.log())
    statuses = [data["status"] for kind, _, data in first + rest if kind == "status"]
    assert statuses[-1] == "Succeed" and "Running" in statuses
    fractions = [float(str(data["progress"])) for kind, _, data in rest if kind == "progress"]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert [kind for kind, _, _ in events(http, job, after=numbers[-1])] == ["status", "progress", "end"]


def test_another_users_events_are_unknown(service: Service, http: httpx2.Client) -> None:
    reply = http.get("/entrance/999999999/events")
    assert reply.status_code == 400 and reply.json()["status"] == 1
    assert httpx2.get(f"{service.url}/api/rest_j/v1/entrance/1/events").status_code == 401
    assert httpx2.get(f"{service.url}/health/live").json() == {"live": True}
