# ruff: noqa: E501
"""Submits that are wrong: each is refused by status, code and field with a message that helps, and leaves nothing behind."""

from __future__ import annotations

import gzip
import hashlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.entrance.api.bodies import LARGEST_BODY
from services.entrance.wire.jobs import LARGEST_CODE
from tests.conftest import Service
from tests.support.jobs import run
from tests.support.rest import PREFIX, Rest, fault

USER = "clumsy"
"""Has never had a job, and never gets one."""
ENGINE = "labels.engineType"
CODE, RUN_TYPE = "executionContent.code", "executionContent.runType"


def body(code: object = "SELECT 1", run_type: object = "sql", **more: object) -> bytes:
    """A whole submit, with parts changed; None leaves a part out."""
    whole = {
        "executionContent": {"code": code, "runType": run_type},
        "labels": {"engineType": "flink-1.20.5", "userCreator": f"{USER}-IDE"},
        **more,
    }
    return json.dumps({name: value for name, value in whole.items() if value is not None}).encode()


def labelled(**labels: object) -> bytes:
    return body(labels={"engineType": "flink-1.20.5", **labels})


def with_json(name: str, text: str) -> bytes:
    """A whole submit and one more member, as it is written."""
    return body()[:-1] + f', "{name}": {text}}}'.encode()


def varied(code: str, **variables: object) -> bytes:
    return body(code, params={"variable": variables})


DOUBLING = (
    "--@set a0=xxxxxxxxxx\n" + "".join(f"--@set a{n + 1}=${{a{n}}}${{a{n}}}\n" for n in range(40)) + "SELECT ${a40}"
)

ROWS: dict[str, tuple[bytes, int, int, str, str]] = {
    # what was sent: HTTP status, code, field, a word of the message
    "not JSON": (b"nonsense", 400, 20010, "body", "not JSON"),
    "cut off": (body()[:-1], 400, 20010, "body", "not JSON"),
    "a list": (b"[]", 400, 20010, "body", "must be a JSON object"),
    "null": (b"null", 400, 20010, "body", "must be a JSON object"),
    "a text": (b'"SELECT 1"', 400, 20010, "body", "must be a JSON object"),
    "no body": (b"", 400, 20010, "body", "missing"),
    "blanks": (b" \r\n", 400, 20010, "body", "missing"),
    "a byte order mark": (b"\xef\xbb\xbf" + body(), 400, 20010, "body", "not JSON"),
    "compressed": (gzip.compress(body()), 400, 20010, "body", "not JSON"),
    "invalid UTF-8": (body()[:-1] + b', "source": {"a": "\xff"}}', 400, 20010, "body", "UTF-8"),
    "half a character": (with_json("source", r'{"a": "\ud800"}'), 400, 20010, "body", "not JSON"),
    "100,000 brackets": (with_json("params", "[" * 100_000 + "]" * 100_000), 400, 20010, "body", "nested"),
    "100,000 braces": (with_json("params", '{"a":' * 100_000 + "1" + "}" * 100_000), 400, 20010, "body", "nested"),
    "as deep as Python reads": (with_json("params", '{"a":' * 900 + "1" + "}" * 900), 400, 20010, "body", "nested"),
    "just too deep": (with_json("source", '{"a":' * 64 + "1" + "}" * 64), 400, 20010, "body", "64 deep"),
    "infinity": (with_json("params", '{"a": Infinity}'), 400, 20010, "body", "not JSON"),
    "not a number": (with_json("params", '{"a": NaN}'), 400, 20010, "body", "not JSON"),
    "1e400": (with_json("params", '{"variable": {"a": 1e400}}'), 400, 20010, "body", "out of range"),
    "10**5000": (with_json("params", '{"variable": {"a": 1' + "0" * 5000 + "}}"), 400, 20010, "body", "out of range"),
    "a member twice": (with_json("labels", "{}"), 400, 20008, "labels", "engineType"),
    "a large body": (body("x" * LARGEST_BODY), 413, 20010, "body", f"over {LARGEST_BODY} bytes"),
    "large code": (body("-- x\n" + "x" * LARGEST_CODE), 413, 20010, CODE, f"over {LARGEST_CODE} bytes"),
    "NUL in the code": (body("SELECT '\0'"), 400, 20010, CODE, "NUL"),
    "NUL in the run type": (body(run_type="sql\0"), 400, 20010, RUN_TYPE, "NUL"),
    "NUL in a label": (labelled(userCreator=f"{USER}-I\0E"), 400, 20010, "labels.userCreator", "NUL"),
    "NUL in a variable": (varied("SELECT ${a}", a="\0"), 400, 20010, "params.variable.a", "NUL"),
    "NUL in a variable's name": (body(params={"variable": {"a\0": "1"}}), 400, 20010, "params.variable.a", "NUL"),
    "NUL in the configuration": (body(params={"configuration": {"runtime": {"a": "\0"}}}), 400, 20010, "params.configuration.runtime.a", "NUL"),
    "NUL in a list": (body(source={"a": [1, "\0"]}), 400, 20010, "source.a.1", "NUL"),
    "nothing": (b"{}", 400, 20007, CODE, "give executionContent.code"),
    "no content": (body(executionContent=None), 400, 20007, CODE, "give executionContent.code"),
    "content of another type": (body(executionContent="SELECT 1"), 400, 20010, "executionContent", "JSON object"),
    "no code": (body(None), 400, 20007, CODE, "give executionContent.code"),
    "empty code": (body(""), 400, 20007, CODE, "give executionContent.code"),
    "blank code": (body(" \n\t"), 400, 20007, CODE, "give executionContent.code"),
    "code of another type": (body(["SELECT 1"]), 400, 20010, CODE, "must be a text"),
    "comments only": (body("-- one\n/* two\n*/ ; // three"), 400, 20007, CODE, "only comments"),
    "an open comment": (body("/* SELECT 1"), 400, 20007, CODE, "only comments"),
    "open comments": (body("/* " * 500_000), 400, 20007, CODE, "only comments"),
    "variables only": (varied("--@set a=1\n${b};", b=" "), 400, 20007, CODE, "only comments"),
    "no run type": (body(run_type=None), 400, 20009, RUN_TYPE, "such as sql"),
    "unknown run type": (body(run_type="py"), 400, 31002, RUN_TYPE, "it has: sql"),
    "long run type": (body(run_type="x" * 70_000), 400, 31002, RUN_TYPE, "it has: sql"),
    "run type of another type": (body(run_type=1), 400, 20010, RUN_TYPE, "must be a text"),
    "no labels": (body(labels=None), 400, 20008, "labels", "labels.engineType"),
    "empty labels": (body(labels={}), 400, 20008, "labels", "labels.engineType"),
    "labels of another type": (body(labels=["flink"]), 400, 20010, "labels", "JSON object"),
    "no engine": (body(labels={"userCreator": f"{USER}-IDE"}), 400, 20009, ENGINE, "flink-1.20.5"),
    "unknown engine": (labelled(engineType="spark-3"), 400, 31002, ENGINE, "flink-1.20.5, flink-2.3.0, shell-1"),
    "unknown version": (labelled(engineType="flink-0.1"), 400, 31002, ENGINE, "flink-1.20.5, flink-2.3.0, shell-1"),
    "an engine and a dash": (labelled(engineType="flink-"), 400, 31002, ENGINE, "flink-1.20.5"),
    "long engine": (labelled(engineType="x" * 70_000), 400, 31002, ENGINE, "flink-1.20.5"),
    "engine for administrators": (labelled(engineType="shell-1"), 403, 100005, ENGINE, "administrators only"),
    "another user's name": (labelled(userCreator="admin-IDE"), 400, 50080, "labels.userCreator", f"{USER}-IDE"),
    "a creator alone": (labelled(userCreator="IDE"), 400, 50079, "labels.userCreator", "<user>-<creator>"),
    "a creator with a blank": (labelled(userCreator=f"{USER}-my app"), 400, 50079, "labels.userCreator", "letters, digits"),
    "a creator as a path": (labelled(userCreator=f"{USER}-.."), 400, 50079, "labels.userCreator", "letters, digits"),
    "long creator": (labelled(userCreator=f"{USER}-{'x' * 21}"), 400, 50079, "labels.userCreator", "at most 20"),
    "retries beyond sense": (with_json("labels", '{"engineType": "flink", "jobRetryCount": 1' + "0" * 400 + "}"), 400, 20009, "labels.jobRetryCount", "from 0 to 100"),
    "a negative time-out": (labelled(jobRunningTimeout="-1"), 400, 20009, "labels.jobRunningTimeout", "whole number"),
    "params of another type": (body(params=[]), 400, 20010, "params", "JSON object"),
    "variables of another type": (body(params={"variable": "a=1"}), 400, 20010, "params.variable", "JSON object"),
    "long params": (body(params={"a": "x" * 60_000}), 400, 100007, "params", "longer than 60000 bytes"),
    "long params and code": (
        body("SELECT '" + "x" * 60_000 + "'", params={"a": "x" * 60_000}),
        400,
        100007,
        "params",
        "longer than 60000 bytes",
    ),
    "long source": (body(source={"a": "x" * 60_000}), 400, 100007, "source", "longer than 60000 bytes"),
    "long variable's name": (body(params={"variable": {"x" * 60_000: "1"}}), 400, 100007, "params", "longer than 60000 bytes"),
    "source of another type": (body(source="IDE"), 400, 20010, "source", "JSON object"),
    "a date with dashes": (varied("SELECT 1", run_date="2026-01-01"), 400, 20042, "params.variable.run_date", "yyyyMMdd"),
    "a day that is none": (varied("SELECT 1", run_date="20260230"), 400, 20042, "params.variable.run_date", "yyyyMMdd"),
    "the first day": (varied("SELECT 1", run_date="00010101"), 400, 20042, "params.variable.run_date", "from the year 1000"),
    "the last day": (varied("SELECT 1", run_date="99991231"), 400, 20042, "params.variable.run_date", "from the year 1000"),
    "a date far away": (body("\nSELECT '&{yyyy%9999999y}'"), 400, 20042, CODE, "line 2"),
    "a date too far to count": (body("SELECT '&{yyyy%" + "9" * 5000 + "d}'"), 400, 20042, CODE, "line 1"),
    "days without end": (body("SELECT ${run_date+99999999999}"), 400, 20044, "params.variable.run_date", "cannot be reckoned"),
    "division by zero": (varied("SELECT ${a/0}", a="1"), 400, 20044, "params.variable.a", "${a/0}"),
    "a text in arithmetic": (varied("\n\nSELECT ${a+1}", a="x"), 400, 20044, "params.variable.a", "line 3"),
    "a number of 5000 digits": (varied("SELECT ${a+" + "9" * 5000 + "}", a="1"), 400, 20044, "params.variable.a", "cannot be reckoned"),
    "a set line without a name": (body("SELECT 1;\n--@set nonsense\n"), 400, 20041, CODE, "line 2: write @set name=value"),
    "a set line of blanks": (body("--@set a" + " " * 100_000 + "x\nSELECT 1"), 400, 20041, CODE, "line 1"),
    "values that double": (body(DOUBLING), 413, 20010, CODE, "shorten them"),
    "a value used too often": (varied("SELECT '" + "${a}" * 2000 + "'", a="x" * 6000), 413, 20010, CODE, "shorten them"),
}  # fmt: skip


@pytest.fixture
def clumsy(rest_of: Callable[[str], Rest]) -> Rest:
    return rest_of(USER)


HISTORY = "linkis_ps_job_history_group_history"


def left_behind(home: Path) -> dict[str, int]:
    """What there is of the user's beside jobs that have failed, as whom intake keeps what it refuses: rows, keys of
    submits, code to run."""
    with sqlite3.connect(f"file:{home}/headgate.db?mode=ro", uri=True) as db:
        counted = {
            table: db.execute(f"SELECT count(*) FROM {table} WHERE {where}", (USER,)).fetchone()[0]
            for table, where in (
                (HISTORY, "submit_user = ? AND status <> 'Failed'"),
                ("headgate_job_live", '"user" = ?'),
                ("headgate_submit_key", f'"user" = ? AND short_id NOT IN (SELECT job_req_id FROM {HISTORY})'),
            )
        }
    db.close()
    return counted | {"code": sum(1 for _ in home.glob(f"storage/code-to-run/*_{USER}_*"))}


def post(caller: Rest, content: bytes, route: str = "submit", **headers: str) -> Any:
    usual = {"Content-Type": "application/json", "Idempotency-Key": hashlib.sha256(content).hexdigest()}
    return caller.http.post(f"{PREFIX}/entrance/{route}", content=content, headers=usual | headers)


@pytest.mark.parametrize("name", ROWS)
def test_it_is_refused_and_nothing_is_left(clumsy: Rest, service: Service, name: str) -> None:
    content, http, code, field, word = ROWS[name]
    said = fault(post(clumsy, content))
    assert (said.http, said.code, said.field) == (http, code, field), said
    assert word in said.message and len(said.message) < 500
    assert set(left_behind(service.home).values()) == {0}


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/xml", "multipart/form-data; boundary=x", "x" * 5000, "json"]
)
def test_a_body_of_another_type_is_refused(clumsy: Rest, service: Service, kind: str) -> None:
    said = fault(post(clumsy, body(), **{"Content-Type": kind}))
    assert (said.http, said.code, said.field) == (415, 20010, "Content-Type")
    assert "must be application/json" in said.message and len(said.message) < 200
    assert set(left_behind(service.home).values()) == {0}


@pytest.mark.parametrize("key", ["x" * 256, "a\tb"])
def test_a_key_that_is_none_is_refused(clumsy: Rest, service: Service, key: str) -> None:
    said = fault(post(clumsy, body(), **{"Idempotency-Key": key}))
    assert (said.http, said.code, said.field) == (400, 100007, "Idempotency-Key") and "1 to 255" in said.message
    assert set(left_behind(service.home).values()) == {0}


@pytest.mark.parametrize(
    ("more", "code", "field"),
    [
        ({"executionCode": " "}, 20007, "executionCode"),
        ({"executionCode": "x" * (LARGEST_CODE + 1)}, 20010, "executionCode"),
        ({"runType": ""}, 20009, "runType"),
        ({"executeApplicationName": None, "labels": {"userCreator": f"{USER}-IDE"}}, 20009, ENGINE),
        ({"requestApplicationName": "a b"}, 50079, "labels.userCreator"),
    ],
)  # fmt: skip
def test_errors_name_the_fields_of_the_older_body(clumsy: Rest, more: dict[str, object], code: int, field: str) -> None:
    old = {
        "executeApplicationName": "flink",
        "requestApplicationName": "IDE",
        "executionCode": "SELECT 1",
        "runType": "sql",
    }
    said = fault(post(clumsy, json.dumps(old | more).encode(), "execute"))
    assert (said.code, said.field) == (code, field)


def test_what_is_just_within_the_limits_runs(service: Service) -> None:
    code = "echo ${a} '" + "&" * (LARGEST_CODE - 100) + "' | wc -c"
    job = run(service, code, variables={"a": "x" * 50}, engine="shell-1")
    (result,) = job.results()
    assert list(result.rows()) == [[str(LARGEST_CODE - 100 + 52)]]
    shown = job.history()
    assert shown["executionCode"] is None and len(json.dumps(shown)) < 5000


def test_strange_texts_that_harm_nobody_are_taken(rest: Rest, service: Service) -> None:
    source = {"scriptPath": "a'; DROP TABLE x; --", "\u202e": "\u0001\u007f\ufffe", "deep": [[[[[{"a": None}]]]]]}
    params = {"variable": {"a": 10**400, "b": None}, "configuration": {"runtime": {}, "special": 1}}
    whole = {
        "executionContent": {"code": "echo '\u0001' ${c}", "runType": "sh"},
        "labels": {"engineType": "shell", "x": [1]},
    }
    reply = rest.http.post(f"{PREFIX}/entrance/submit", json={**whole, "source": source, "params": params, "more": 1})
    job = service.client().job(reply.json()["data"]["taskID"])
    assert job.wait(60) in ("Succeed", "Failed")
    task = job.history()
    assert json.loads(task["sourceJson"]) == {**source, "requestIP": "127.0.0.1"}
    assert json.loads(task["paramsJson"]) == params
