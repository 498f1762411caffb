"""Once jobs without a service: what a content and a request become, how a job's status is told, a log by key words."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from commons.process.errors import Invalid
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from protocol.states.job import JobStatus
from services.entrance import engine_logs
from services.entrance.wire import once as wire
from services.entrance.wire.jobs import Submit, parse_submit

LABELS = {"engineType": "seatunnel-2.3.8", "userCreator": "ann-Streamis"}
HEAD = "2026-11-24 10:00:00.000"


def submit(content: dict[str, Any], labels: dict[str, Any] | None = None, **properties: object) -> Submit:
    job = {"runType": "szeta", "code": "env {}"} | content.pop("jobContent", {})
    body = {"labels": LABELS | (labels or {}), "properties": {"onceExecutorContent": "resource_", **properties}}
    return wire.submit_of(body, {**content, "jobContent": job}, "ann", "127.0.0.1")


def test_a_once_job_is_a_submit_with_an_engine_of_its_own() -> None:
    told = submit({"source": {"jobName": "x"}})
    assert (told.code, told.run_type, told.engine, told.user, told.creator) == (
        "env {}", "szeta", "seatunnel-2.3.8", "ann", "Streamis",
    )  # fmt: skip
    assert told.execute_once and told.source == {"jobName": "x", "requestIP": "127.0.0.1"}
    assert (told.configuration, told.variables) == ({}, {})
    given = submit({"jobContent": {"variable": {"city": "Bern"}}})
    assert given.configuration == {"seatunnel.variable.city": "Bern"} and given.variables == {"city": "Bern"}
    assert submit({}, {"engineConnMode": "computation"}).execute_once, "whatever the label says, it is a once job"


def test_properties_and_what_else_the_content_holds_are_configuration() -> None:
    content = {
        "jobContent": {"master": "cluster", "config": {"not": "plain"}, "a": 1, "b": 1},
        "runtime": {"b": 2, "c": True, "execution.runtime-mode": "batch"},
    }
    told = submit(content, **{"label.codeType": "sql", "flink.app.name": "n", "a": "0"})
    assert told.configuration == {
        "flink.app.name": "n", "master": "cluster", "a": "1", "b": "2", "c": "true", "execution.runtime-mode": "batch",
    }  # fmt: skip


def test_the_run_type_may_be_a_property_or_a_label() -> None:
    assert submit({"jobContent": {"runType": None}}, **{"label.codeType": "sql"}).run_type == "sql"
    assert submit({"jobContent": {"runType": None}}, {"codeType": "jar"}).run_type == "jar"
    with pytest.raises(Invalid, match="specify runType"):
        submit({"jobContent": {"runType": None}})


@pytest.mark.parametrize("variable", [{"table": "t", "rows": 3}, '{"table": "t", "rows": 3}'])
def test_variables_of_the_content_are_variables(variable: object) -> None:
    assert submit({"jobContent": {"variable": variable}}).variables == {"table": "t", "rows": "3"}
    told = submit({"jobContent": {"variable": variable}, "variable": {"rows": 4}})
    assert told.variables == {"table": "t", "rows": "4"}
    assert submit({"jobContent": {"variable": ""}}).variables == {}


@pytest.mark.parametrize(
    ("labels", "once"),
    [
        ({"engineConnMode": "once"}, True), ({"executeOnce": ""}, True), ({"engineConnMode": "computation"}, False),
        ({"executeOnce": "false", "engineConnMode": "once"}, True), ({"engineConnMode": None}, False), ({}, False),
    ],
)  # fmt: skip
def test_two_labels_ask_for_an_engine_of_its_own(labels: dict[str, Any], once: bool) -> None:
    body = {"executionContent": {"code": "echo", "runType": "sh"}, "labels": LABELS | labels}
    assert parse_submit(body, "ann", "").execute_once is once


def test_a_mode_that_is_no_text_is_refused() -> None:
    body = {"executionContent": {"code": "echo", "runType": "sh"}, "labels": LABELS | {"engineConnMode": ["once"]}}
    with pytest.raises(Invalid) as refused:
        parse_submit(body, "ann", "")
    assert refused.value.field == "labels.engineConnMode"


def test_every_status_has_a_word_that_clients_know() -> None:
    told = {status: wire.node_status(pb.Job(status=status)) for status in JobStatus}
    assert {status for status in JobStatus if told[status] in ("Success", "Failed", "ShuttingDown")} == {
        status for status in JobStatus if wire.has_ended(pb.Job(status=status))
    }
    assert told[JobStatus.INITED] == told[JobStatus.SCHEDULED] == told[JobStatus.WAIT_FOR_RETRY] == "Starting"
    assert (told[JobStatus.RUNNING], told[JobStatus.SUCCEED], told[JobStatus.CANCELLED]) == (
        "Running", "Success", "ShuttingDown",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("runtime", "source", "name"),
    [({"flink.app.name": "a"}, {"jobName": "b"}, "a"), ({}, {"jobName": "b"}, "b"), ({}, {}, "IDE_ann_flink_1")],
)
def test_a_job_is_listed_as_it_calls_itself(runtime: dict[str, str], source: dict[str, str], name: str) -> None:
    params = json.dumps({"configuration": {"runtime": runtime}})
    job = pb.Job(short_id="IDE_ann_flink_1", params=params, source=json.dumps(source))
    assert wire.application_name(job) == name


LOG = [
    f"{HEAD} INFO one", f"{HEAD} ERROR two", "  at a.Main", f"{HEAD} INFO three", "  at b.Main", f"{HEAD} INFO four",
]  # fmt: skip


async def page(monkeypatch: pytest.MonkeyPatch, **parameters: object) -> tuple[list[str], object]:
    """The last word of each line, and the last line that was looked at; the log is read by twos."""
    monkeypatch.setattr(engine_logs, "LINES_AT_ONCE", 2)

    async def log(job: pb.Job, start: int, most: int) -> list[str]:
        return LOG[start : start + most]

    jobs: Any = SimpleNamespace(log=log)
    told = await engine_logs.read(jobs, pb.Job(), {"__operator_name__": "engineConnLog", **parameters})
    lines = told["logs"]
    assert isinstance(lines, list) and told["rows"] == len(lines)
    return [line.split()[-1] for line in lines], told["endLine"]


@pytest.mark.parametrize(
    ("parameters", "words", "end"),
    [
        ({}, ["one", "two", "a.Main", "three", "b.Main", "four"], 6),
        ({"fromLine": 2, "pageSize": 3}, ["two", "a.Main", "three"], 4),
        ({"fromLine": "5", "pageSize": "1"}, ["b.Main"], 5),
        ({"fromLine": 0, "pageSize": 1}, ["one"], 1),
        ({"fromLine": -3, "pageSize": 1}, ["one"], 1),
        ({"fromLine": 9}, [], 8),
        ({"pageSize": 0}, [], 0),
        ({"onlyKeywords": "ERROR,four"}, ["two", "a.Main", "four"], 6),
        ({"ignoreKeywords": "ERROR"}, ["one", "three", "b.Main", "four"], 6),
        ({"onlyKeywords": "INFO", "ignoreKeywords": "three", "pageSize": 2}, ["one", "four"], 6),
        ({"lastRows": 2}, ["b.Main", "four"], 6),
        ({"lastRows": 2, "fromLine": 1, "pageSize": 1, "onlyKeywords": "ERROR"}, ["two", "a.Main"], 6),
        ({"lastRows": 10}, ["one", "two", "a.Main", "three", "b.Main", "four"], 6),
    ],
)
async def test_a_page_of_a_log(
    monkeypatch: pytest.MonkeyPatch, parameters: dict[str, object], words: list[str], end: int
) -> None:
    assert await page(monkeypatch, **parameters) == (words, end)


@pytest.mark.parametrize(
    ("name", "value"),
    [("fromLine", "x"), ("pageSize", 10_001), ("lastRows", "1e3"), ("pageSize", True), ("onlyKeywords", ["a"])],
)
async def test_a_wrong_page_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch, name: str, value: object) -> None:
    with pytest.raises(Invalid) as refused:
        await page(monkeypatch, **{name: value})
    assert refused.value.field == f"parameters.{name}"
