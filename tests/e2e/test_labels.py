"""Labels of a submit that govern how a job runs: executeOnce, time-outs, retries."""

from __future__ import annotations

from pathlib import Path

import pytest
from headgate import Job

from tests.conftest import Service
from tests.support.jobs import shell_job, shell_submit


def engine_of(job: Job) -> str:
    line = next(line for line in job.log() if "Please wait it to run. Engine " in line)
    return line.partition("Engine ")[2].split()[0]


def test_an_engine_for_once_is_fresh_and_ends_with_its_job(service: Service) -> None:
    once = [shell_job(service, "echo hi", executeOnce="") for _ in range(2)]
    assert [one.wait(60) for one in once] == ["Succeed", "Succeed"]
    after = shell_job(service, "echo hi")
    assert after.wait(60) == "Succeed"
    assert len({engine_of(one) for one in [*once, after]}) == 3


def test_a_job_that_runs_for_too_long_ends_as_timeout(service: Service) -> None:
    late = shell_job(service, "echo begin; sleep 600", jobRunningTimeout="2")
    assert late.wait(60) == "Timeout"
    assert late.history()["errDesc"] == "the job ran for too long: jobRunningTimeout=2"


def test_a_job_that_waits_for_too_long_ends_as_timeout(service: Service) -> None:
    before = [shell_job(service, "sleep 600") for _ in range(2)]
    late = shell_job(service, "echo never", jobQueuingTimeout=1)
    assert late.wait(60) == "Timeout"
    assert late.history()["errDesc"] == "the job waited for too long: jobQueuingTimeout=1"
    for one in before:
        one.kill()
        assert one.wait(60) == "Cancelled"


def test_a_job_that_fails_is_tried_again(service: Service, tmp_path: Path) -> None:
    tries = tmp_path / "tries"
    code = f"echo try >> {tries}; echo out; test $(wc -l < {tries}) -ge 3"
    again = shell_job(service, code, jobRetryCount="3")
    assert again.wait(60) == "Succeed" and tries.read_text().count("try") == 3
    (result,) = again.results()
    assert list(result.rows()) == [["out"]]
    log = "\n".join(again.log())
    assert log.count("The shell ended with exit code 1") == 2 and log.count("is accepted") == 1
    tries.unlink()
    hopeless = shell_job(service, f"echo try >> {tries}; exit 7", jobRetryCount=1)
    assert hopeless.wait(60) == "Failed" and tries.read_text().count("try") == 2


@pytest.mark.parametrize("label", ["jobQueuingTimeout", "jobRunningTimeout", "jobRetryCount"])
@pytest.mark.parametrize("value", ["-1", "1.5", "x", "99999999999", {}])
def test_a_wrong_number_is_refused_by_field(service: Service, label: str, value: object) -> None:
    data = shell_submit(service, "echo", 400, **{label: value})
    assert data["field"] == f"labels.{label}"
