"""What was masked for the history, when somebody runs it again; long code, when its submit is repeated."""

from __future__ import annotations

from pathlib import Path

from protocol import layout
from tests.conftest import Service
from tests.e2e.conftest import Rest
from tests.support.jobs import eventually, run
from tests.support.rest import PREFIX

LONG = "PASSWORD=hunter2222\n#" + " long" * 11_000 + "\necho ${#PASSWORD}"


def test_code_from_the_history_says_that_its_secrets_are_missing(service: Service) -> None:
    first = run(service, "PASSWORD=hunter2222\necho ${#PASSWORD}", engine="shell-1")
    assert [list(result.rows()) for result in first.results()] == [[["10"]]]
    (kept,) = (job["executionCode"] for job in service.client().jobs() if job["taskID"] == first.id)
    assert kept == "PASSWORD=***\necho ${#PASSWORD}"
    assert not any("write the secret there again" in line for line in first.log())
    again = run(service, kept, engine="shell-1")
    assert sum("The code has *** where a secret should be" in line for line in again.log()) == 1


def test_a_repeated_submit_of_long_code_leaves_nothing_of_it(service: Service, rest: Rest) -> None:
    body = {
        "executionContent": {"code": LONG, "runType": "shell"},
        "labels": {"engineType": "shell-1", "userCreator": "admin-IDE"},
    }
    ids, folder = set(), service.home / "storage" / layout.CODE_TO_RUN
    for _ in range(2):
        reply = rest.http.post(f"{PREFIX}/entrance/submit", json=body, headers={"Idempotency-Key": "long code"})
        ids.add(reply.json()["data"]["taskID"])
        assert service.client().job(reply.json()["data"]["taskID"]).wait(60) == "Succeed"
        eventually(lambda: not list(folder.iterdir()), "its code goes")
    assert len(ids) == 1
    (task,) = (job for job in service.client().jobs() if {job["taskID"]} == ids)
    assert "hunter2222" not in Path(task["executionCode"].removeprefix("file://")).read_text()
