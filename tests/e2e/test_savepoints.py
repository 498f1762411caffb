"""Savepoints through REST and the SDK: made, listed, gone on from, disposed of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from headgate import Client, HeadgateError, Job

from tests.conftest import Service, start, stop
from tests.support.jobs import eventually

STREAM = "log INFO begun\nsleep 600"


@pytest.fixture(scope="module")
def keeping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    fake = {"HEADGATE_ENGINES": "shell,flink", "HEADGATE_ENGINE_MODULES": "shell=tests.support.fake_engine"}
    service = start(tmp_path_factory.mktemp("savepoints") / "home", "--stop-engines", **fake)
    yield service
    assert stop(service) == 0


def stream(service: Service, code: str = STREAM, **configuration: str) -> Job:
    job = service.admin.submit(code, engine="shell-1", configuration=configuration)
    eventually(lambda: any(line.endswith(" begun") for line in job.log()), "it runs")
    return job


def refusal(service: Service, reference: object, client: Client | None = None, engine: str = "shell-1") -> str:
    with pytest.raises(HeadgateError) as refused:
        (client or service.admin).submit(STREAM, engine=engine, configuration={"headgate.resume": str(reference)})
    return str(refused.value)


def test_a_suspended_job_has_succeeded_and_another_goes_on_from_it(keeping: Service) -> None:
    first = stream(keeping)
    savepoint = first.suspend()
    assert savepoint.kind == "suspend" and first.wait(30) == "Succeed" and not first.history()["errDesc"]
    second = stream(keeping, **{"headgate.resume": str(first.id)})
    assert any(line.endswith(f" goes on from state of job {first.id}") for line in second.log())
    assert first.savepoints()[0].resumed_by == second.id
    assert f"job {second.id} goes on from it" in refusal(keeping, first.id)
    with pytest.raises(HeadgateError, match="goes on from it"):
        first.dispose(savepoint.id)
    second.kill()
    second.wait(30)
    first.dispose(savepoint.id)
    assert not Path(savepoint.path).exists() and first.savepoints()[0].disposed_at_ms
    assert "has no savepoint to go on from" in refusal(keeping, first.id)


def test_a_savepoint_of_a_job_that_goes_on(keeping: Service) -> None:
    job = stream(keeping)
    made = job.savepoint()
    assert made.kind == "savepoint" and job.status() == "Running"
    other = stream(keeping, **{"headgate.resume": f"{job.id}/{made.id}"})
    for each in (job, other):
        each.kill()
        each.wait(30)


@pytest.fixture
def ben(keeping: Service) -> Iterator[Client]:
    keeping.admin.create_user("ben", "a long password")
    with Client(keeping.url, "ben", password="a long password") as client:
        yield client


def test_what_is_refused_says_why(keeping: Service, ben: Client) -> None:
    done = keeping.admin.submit("rows 1", engine="shell-1")
    done.wait(30)
    assert "must be <task id>" in refusal(keeping, "newest")
    assert "there is no job 999" in refusal(keeping, 999)
    assert "has no savepoint" in refusal(keeping, done.id)
    assert "has no savepoint 7" in refusal(keeping, f"{done.id}/7")
    assert "cannot go on from it" in refusal(keeping, done.id, engine="flink")
    assert f"there is no job {done.id} among yours" in refusal(keeping, done.id, ben, engine="flink")
    for act in (done.suspend, done.savepoint, done.diagnosis):
        with pytest.raises(HeadgateError, match=r"is Succeed: .* is for jobs that run"):
            act()
    with pytest.raises(HeadgateError, match="has no savepoint 7"):
        done.dispose(7)
    for theirs in (ben.job(done.id).savepoints, ben.job(done.id).suspend, lambda: ben.job(done.id).dispose(1)):
        with pytest.raises(HeadgateError, match="no such job among yours"):
            theirs()


def test_an_operation_that_the_engine_lacks(keeping: Service) -> None:
    job = stream(keeping)
    with pytest.raises(HeadgateError, match="the fake engine has no diagnosis"):
        job.diagnosis()
    job.kill()
    job.wait(30)
