"""Submit bodies and history tasks: what is refused and by which name, what is assumed, what Linkis clients read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from commons.process.errors import Invalid
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from services.entrance.wire.jobs import Submit, exec_id_of, parse_submit, progress_info, shown_status, task

BODY = {"executionContent": {"code": "SELECT 1", "runType": "sql"}, "labels": {"engineType": "flink-1.20.5"}}


def parse(**changes: Any) -> Submit:
    """`BODY` with its parts changed (None: left out), read as alice's."""
    body = {name: value for name, value in {**BODY, **changes}.items() if value is not None}
    return parse_submit(body, "alice", "10.0.0.1")


def labels(**more: Any) -> dict[str, Any]:
    return {"engineType": "flink", **more}


def test_a_small_body_is_enough() -> None:
    assert parse() == Submit(
        code="SELECT 1", run_type="sql", engine="flink-1.20.5", user="alice", creator="IDE",
        source={"requestIP": "10.0.0.1"},
    )  # fmt: skip


def test_a_whole_body_is_taken_as_it_is() -> None:
    params = {
        "variable": {"n": 7, "half": 0.5, "on": True, "off": False, "name": "x", "none": None},
        "configuration": {
            "runtime": {"parallelism.default": 2, "job": {"#rt_rs_store_path": "…"}},
            "startup": {"ignored": "yes"},
        },
    }
    submit = parse(labels=labels(userCreator="alice-my_app.2"), params=params, source={"scriptPath": "a.sql"})
    assert (submit.engine, submit.creator) == ("flink", "my_app.2")
    assert submit.variables == {"n": "7", "half": "0.5", "on": "true", "off": "false", "name": "x"}
    assert submit.configuration == {"parallelism.default": "2"}
    assert submit.params == params
    assert submit.source == {"scriptPath": "a.sql", "requestIP": "10.0.0.1"}


def test_where_a_request_comes_from_cannot_be_made_up() -> None:
    assert parse(source={"requestIP": "1.2.3.4"}).source == {"requestIP": "10.0.0.1"}


def test_the_label_code_type_stands_in_for_a_missing_run_type() -> None:
    both = parse(labels=labels(codeType="py"))
    assert (both.run_type, parse(executionContent={"code": "x"}, labels=labels(codeType="sql")).run_type) == (
        "sql",
        "sql",
    )


@pytest.mark.parametrize("name", ["params", "source"])
def test_null_is_the_same_as_nothing(name: str) -> None:
    assert parse_submit({**BODY, name: None}, "alice", "10.0.0.1") == parse()


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"executionContent": None, "labels": None}, 20007, "executionContent.code"),
        ({"executionContent": None}, 20007, "executionContent.code"),
        ({"executionContent": {"runType": "sql"}}, 20007, "executionContent.code"),
        ({"executionContent": {"code": None, "runType": "sql"}}, 20007, "executionContent.code"),
        ({"executionContent": {"code": " \n\t", "runType": "sql"}}, 20007, "executionContent.code"),
        ({"executionContent": {"code": "a\0b", "runType": "sql"}}, 20010, "executionContent.code"),
        ({"executionContent": {"code": ["x"], "runType": "sql"}}, 20010, "executionContent.code"),
        ({"executionContent": {"code": "x", "runType": 1}}, 20010, "executionContent.runType"),
        ({"executionContent": {"code": "x"}}, 20009, "executionContent.runType"),
        ({"executionContent": "SELECT 1"}, 20010, "executionContent"),
        ({"labels": None}, 20008, "labels"),
        ({"labels": {}}, 20008, "labels"),
        ({"labels": ["flink"]}, 20010, "labels"),
        ({"labels": {"userCreator": "alice-IDE"}}, 20009, "labels.engineType"),
        ({"labels": {"engineType": ""}}, 20009, "labels.engineType"),
        ({"labels": {"engineType": 7}}, 20010, "labels.engineType"),
        ({"labels": labels(userCreator=7)}, 20010, "labels.userCreator"),
        ({"labels": labels(userCreator="alice")}, 50079, "labels.userCreator"),
        ({"labels": labels(userCreator="alice-")}, 50079, "labels.userCreator"),
        ({"labels": labels(userCreator="alice-my app")}, 50079, "labels.userCreator"),
        ({"labels": labels(userCreator="alice-IDE\n")}, 50079, "labels.userCreator"),
        ({"labels": labels(userCreator=f"alice-{'x' * 21}")}, 50079, "labels.userCreator"),
        ({"params": []}, 20010, "params"),
        ({"params": {"variable": "n=1"}}, 20010, "params.variable"),
        ({"params": {"variable": {"n": [1]}}}, 20010, "params.variable.n"),
        ({"params": {"variable": {"n": {"m": 1}}}}, 20010, "params.variable.n"),
        ({"params": {"configuration": 1}}, 20010, "params.configuration"),
        ({"params": {"configuration": {"runtime": []}}}, 20010, "params.configuration.runtime"),
        ({"source": "IDE"}, 20010, "source"),
    ],
)
def test_what_is_wrong_is_refused_by_code_and_field(changes: dict[str, Any], code: int, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse(**changes)
    assert (caught.value.code, caught.value.field) == (code, field)


@pytest.mark.parametrize("body", [None, [], "text", 1])
def test_a_body_that_is_no_object_is_refused(body: object) -> None:
    with pytest.raises(Invalid) as caught:
        parse_submit(body, "alice", "")
    assert (caught.value.code, caught.value.field) == (20010, "body")


@pytest.mark.parametrize(
    ("value", "once"), [("", True), ("true", True), (True, True), ("False", False), (False, False)]
)
def test_the_label_execute_once_needs_no_value(value: object, once: bool) -> None:
    assert parse(labels=labels(executeOnce=value)).execute_once is once


def test_labels_govern_times_and_tries() -> None:
    submit = parse(labels=labels(jobQueuingTimeout="60", jobRunningTimeout=3600, jobRetryCount="2"))
    assert (submit.queuing_timeout_seconds, submit.running_timeout_seconds, submit.retries) == (60, 3600, 2)
    none = parse(labels=labels(jobQueuingTimeout="", jobRunningTimeout=None, jobRetryCount=0))
    assert (none.queuing_timeout_seconds, none.running_timeout_seconds, none.retries) == (0, 0, 0)


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("jobQueuingTimeout", "-1"), ("jobQueuingTimeout", "1.5"), ("jobQueuingTimeout", "x"),
        ("jobRunningTimeout", 10**9 + 1), ("jobRunningTimeout", "9" * 400), ("jobRunningTimeout", [1]),
        ("jobRetryCount", 101), ("jobRetryCount", "²"), ("jobRetryCount", True), ("jobRetryCount", {}),
    ],
)  # fmt: skip
def test_a_wrong_number_in_a_label_is_refused_by_its_name(label: str, value: object) -> None:
    with pytest.raises(Invalid, match=f"labels.{label} must be a whole number from 0 to") as caught:
        parse(labels=labels(**{label: value}))
    assert (caught.value.code, caught.value.field) == (20009, f"labels.{label}")


def job(status: str = "Succeed", **more: Any) -> pb.Job:
    return pb.Job(
        **{
            "job_id": 36, "short_id": "IDE_alice_shell_6", "instance": "127.0.0.1:9104", "submit_user": "alice",
            "execute_user": "alice", "creator": "IDE", "engine_type": "shell", "run_type": "shell", "status": status,
            "execution_code": "echo one", "progress": 1.0, "log_path": "file:///log", "result_location": "file:///r",
            "created_at_ms": 1_795_397_708_000, "updated_at_ms": 1_795_397_708_640, "params": "{}", "metrics": "{}",
            "source": '{"scriptPath": "cap.sh", "requestIP": "127.0.0.1"}',
            "labels": '{"userCreator": "alice-IDE", "engineType": "shell-1", "codeType": "shell"}',
            **more,
        }
    )  # fmt: skip


def test_a_history_task_has_linkis_keys_in_their_order() -> None:
    assert list(task(job()).items()) == [
        ("taskID", 36),
        ("instance", "127.0.0.1:9104"),
        ("execId", "IDE_alice_shell_6"),
        ("umUser", "alice"),
        ("executeUser", "alice"),
        ("engineInstance", None),
        ("executionCode", None),
        ("progress", "1.0"),
        ("logPath", "file:///log"),
        ("resultLocation", "file:///r"),
        ("status", "Succeed"),
        ("createdTime", 1_795_397_708_000),
        ("updatedTime", 1_795_397_708_640),
        ("engineType", "shell"),
        ("errCode", 0),
        ("errDesc", ""),
        ("executeApplicationName", "shell"),
        ("requestApplicationName", "IDE"),
        ("runType", "shell"),
        ("paramsJson", "{}"),
        ("costTime", 640),
        ("strongerExecId", "exec_id018014linkis-cg-entrance127.0.0.1:9104IDE_alice_shell_6"),
        ("sourceJson", '{"scriptPath": "cap.sh", "requestIP": "127.0.0.1"}'),
        ("sourceTailor", "cap.sh-127.0.0.1"),
        ("engineStartTime", None),
        ("labels", ["userCreator:alice-IDE", "engineType:shell-1", "codeType:shell"]),
        ("canRetry", False),
        ("observeInfo", None),
        ("isReuse", None),
        ("requestStartTime", None),
        ("requestEndTime", None),
        ("requestSpendTime", None),
        ("metrics", "{}"),
        ("subJobs", None),
    ]


def test_a_list_shows_the_code_too() -> None:
    assert task(job(), with_code=True)["executionCode"] == "echo one"


def test_an_error_is_shown_once_the_job_has_ended() -> None:
    failed = task(job("Failed", error_code=102002, error_desc="exit code 3"))
    assert (failed["errCode"], failed["errDesc"]) == (102002, "exit code 3")
    running = task(job("Running", progress=0.0, live=pb.LiveJob(engine_id="e1")))
    assert (running["errCode"], running["errDesc"], running["progress"]) == (None, None, "0.0")
    assert running["engineInstance"] == "e1"


def test_a_job_that_will_be_tried_again_is_shown_as_scheduled() -> None:
    waiting = job("WaitForRetry")
    assert (shown_status(waiting), task(waiting)["status"]) == ("Scheduled", "Scheduled")


def test_a_year_long_job_has_a_cost_that_java_clients_can_hold() -> None:
    cost = task(job(updated_at_ms=1_795_397_708_000 + 365 * 86_400_000))["costTime"]
    assert cost == 2**31 - 1


def test_a_task_without_source_and_labels_is_shown_all_the_same() -> None:
    bare = task(job(source="", labels=""))
    assert (bare["sourceTailor"], bare["labels"]) == ("", [])


def test_every_task_goes_through_json_unchanged() -> None:
    assert json.loads(json.dumps(task(job("Running")))) == task(job("Running"))


def test_an_exec_id_names_instance_and_job() -> None:
    assert exec_id_of(job()) == "exec_id018014linkis-cg-entrance127.0.0.1:9104IDE_alice_shell_6"


def test_steps_without_tasks_are_left_out() -> None:
    steps = [
        {"id": "a", "name": "Source", "succeeded": 1, "failed": 0, "running": 2, "total": 3},
        {"id": "b", "name": "Sink", "succeeded": 0, "failed": 0, "running": 0, "total": 0},
    ]
    assert progress_info(steps) == [
        {"id": "a", "succeedTasks": 1, "failedTasks": 0, "runningTasks": 2, "totalTasks": 3}
    ]  # fmt: skip


OLD = {"executeApplicationName": "shell-1", "requestApplicationName": "app", "executionCode": "echo", "runType": "sh"}


def test_the_older_body_says_the_same_in_other_words() -> None:
    submit = parse_submit(OLD, "alice", "10.0.0.1")
    assert (submit.code, submit.run_type, submit.engine, submit.creator) == ("echo", "sh", "shell-1", "app")
    labelled = parse_submit({**OLD, "labels": {"engineType": "flink", "userCreator": None}}, "alice", "")
    assert (labelled.engine, labelled.creator) == ("flink", "app")
    assert parse_submit({**OLD, "runType": None, "labels": {"codeType": "sql"}}, "alice", "").run_type == "sql"


def test_a_job_that_has_ended_still_names_its_engine() -> None:
    assert task(job(metrics='{"engineInstance": "e1"}'))["engineInstance"] == "e1"
