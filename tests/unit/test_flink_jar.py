"""The code of a jar job, and how it bears what goes wrong."""

from __future__ import annotations

import json

import pytest

from commons.process.errors import Invalid
from protocol.flink import policy
from protocol.flink.jar import JarJob


def test_the_code_says_all() -> None:
    code = {
        "artifact": "counts", "entryClass": "a.B", "arguments": ["--days", 7, True], "parallelism": 3,
        "configuration": {"execution.checkpointing.interval": 500, "a": True}, "savepoint": "file:/s",
        "allowNonRestored": True, "dryRun": True,
    }  # fmt: skip
    configuration = {"execution.checkpointing.interval": "500", "a": "true"}
    expected = JarJob("counts", "a.B", ("--days", "7", "true"), 3, configuration, "file:/s", True, True)
    assert JarJob.parse(json.dumps(code), {}) == expected
    assert JarJob.parse('{"artifact": "counts", "savepoint": null}', {}) == JarJob("counts")


def test_linkis_keys_fill_what_the_code_lacks() -> None:
    runtime = {
        "flink.app.main.class.jar": "counts", "flink.app.main.class": "a.B", "flink.app.args": "x  y",
        "flink.app.savePointPath": "file:/s", "flink.app.allowNonRestoredStatus": "true",
    }  # fmt: skip
    assert JarJob.parse("{}", runtime) == JarJob("counts", "a.B", ("x", "y"), 0, {}, "file:/s", True)
    assert JarJob.parse('{"entryClass": "c.D", "arguments": []}', runtime).entry_class == "c.D"
    assert JarJob.parse('{"entryClass": "c.D", "arguments": []}', runtime).arguments == ()


@pytest.mark.parametrize(
    ("code", "field", "fix"),
    [
        ("SELECT 1", "", "line 1, column 1"),
        ('{"artifact": "a",\n "arguments": [}', "", "line 2, column 16"),
        ("[" * 100_000, "", "must be a JSON object"),
        ('["a"]', "", "must be a JSON object, such as"),
        ("{}", ".artifact", "must name the jar to run"),
        ('{"artifact": 1}', ".artifact", "must be a text"),
        ('{"artifact": "a", "entryclass": "b"}', ".entryclass", "did you mean entryClass?"),
        ('{"artifact": "a", "zzz": "b"}', ".zzz", "there are: artifact, entryClass"),
        ('{"artifact": "a", "arguments": "--days 7"}', ".arguments", "must be a list of texts"),
        ('{"artifact": "a", "arguments": [[]]}', ".arguments", "must be a list of texts"),
        ('{"artifact": "a", "parallelism": "3"}', ".parallelism", "whole number"),
        ('{"artifact": "a", "parallelism": -1}', ".parallelism", "whole number"),
        ('{"artifact": "a", "configuration": []}', ".configuration", "must be an object"),
        ('{"artifact": "a", "configuration": {"k": {}}}', ".configuration.k", "must be a text, a number"),
        ('{"artifact": "a", "dryRun": "yes"}', ".dryRun", "must be true or false"),
        ('{"artifact": "a", "savepoint": 3}', ".savepoint", "must be a text"),
    ],
)
def test_what_is_wrong_is_told_with_its_field_and_the_fix(code: str, field: str, fix: str) -> None:
    with pytest.raises(Invalid) as refused:
        JarJob.parse(code, {})
    assert refused.value.field == f"executionContent.code{field}" and fix in refused.value.message


TYPE, TRIES = "restart-strategy.type", "restart-strategy.exponential-delay.attempts-before-reset-backoff"


@pytest.mark.parametrize(
    ("runtime", "type_", "tries"),
    [
        ({}, None, None),
        ({"execution.checkpointing.interval": "1s"}, "exponential-delay", "10"),
        ({"_FLINK_CONFIG_.execution.checkpointing.interval": "1s", "flink.restart": "never"}, "none", None),
        ({"flink.restart": "on-failure", "flink.restart.attempts": "3"}, "exponential-delay", "3"),
        ({"flink.restart": "Always"}, "exponential-delay", str(2**31 - 1)),
        ({"flink.restart": "always", "restart-strategy.type": "fixed-delay"}, "fixed-delay", None),
        ({"execution.checkpointing.interval": "1s", "restart-strategy": "none"}, None, None),
    ],
)
def test_restarts_in_flinks_words(runtime: dict[str, str], type_: str | None, tries: str | None) -> None:
    settings = policy.settings(runtime)
    assert (settings.get(TYPE), settings.get(TRIES)) == (type_, tries)
    assert not any(key.startswith(("flink.", "_FLINK_CONFIG_")) for key in settings)


def test_a_flink_without_a_limit_of_growing_pauses_gets_a_failure_rate() -> None:
    settings = policy.settings({"flink.restart": "on-failure", "flink.restart.attempts": "3"}, version="1.18.1")
    assert settings[TYPE] == "failure-rate" and TRIES not in settings
    assert settings["restart-strategy.failure-rate.max-failures-per-interval"] == "3"


def test_the_jobs_own_settings_go_before_those_of_its_configuration() -> None:
    assert policy.settings({"a": "1", "b": "1"}, {"b": "2"}) == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("key", "value"),
    [("flink.restart", "maybe"), ("flink.restart.attempts", "0"), ("flink.slots.wait.seconds", "601")],
)
def test_a_policy_that_cannot_be_is_refused(key: str, value: str) -> None:
    with pytest.raises(Invalid) as refused:
        policy.check({key: value})
    assert refused.value.field == f"params.configuration.runtime.{key}" and value in refused.value.message
