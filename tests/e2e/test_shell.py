"""The whole path with the smallest engine: submit to result, failure, kill."""

from __future__ import annotations

from tests.conftest import Service

SHELL = "shell-1"


def test_output_is_result_and_log(service: Service) -> None:
    job = service.client().submit("echo one; echo two; echo oops >&2", engine=SHELL)
    assert job.wait(60) == "Succeed"
    (result,) = job.results()
    assert [column.name for column in result.columns] == ["line"]
    assert list(result.rows()) == [["one"], ["two"]]
    log = job.log()
    assert any(" WARN oops" in line for line in log)
    assert log[-1].endswith("INFO Congratulations. Your job completed with status Success.")
    assert job.progress().fraction == 1.0


def test_the_exit_code_decides(service: Service) -> None:
    job = service.client().submit("echo out; echo why >&2; exit 3", engine=SHELL)
    assert job.wait(60) == "Failed"
    assert job.history()["errDesc"] == "The shell ended with exit code 3: why"


def test_a_job_ends_with_its_shell(service: Service) -> None:
    job = service.client().submit("sleep 300 & setsid sleep 299 & echo started", engine=SHELL)
    assert job.wait(60) == "Succeed"
    (result,) = job.results()
    assert list(result.rows()) == [["started"]]


def test_kill_ends_it_cancelled(service: Service) -> None:
    job = service.client().submit("echo begin; sleep 600", engine=SHELL)
    for _ in job.follow():
        if job.status() == "Running" and any(line.endswith("INFO begin") for line in job.log()):
            break
    job.kill()
    assert job.wait(30) == "Cancelled"
    job.kill()
    assert job.history()["errCode"] == 31001
