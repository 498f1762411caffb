"""What a shell task asks for: the fields of exec and of the configuration, and what is wrong with them."""

from __future__ import annotations

import json

import pytest

from commons.process.errors import Invalid
from protocol import codes
from services.engineconn.shell.request import Request, parse


def test_a_script_needs_nothing() -> None:
    assert parse("shell", "echo [", {"execution.runtime-mode": "batch"}) == Request()


def test_exec_is_a_list_or_an_object() -> None:
    assert parse("exec", '["ls", "-l", ""]', {}) == Request(argv=("ls", "-l", ""))
    whole = {
        "argv": ["ls"],
        "environment": {"A": "1"},
        "folder": "./in/",
        "timeoutSeconds": 2,
        "results": ["out/*.csv"],
    }
    assert parse("exec", json.dumps(whole), {}) == Request(("ls",), {"A": "1"}, ("in",), 2.0, (("out", "*.csv"),))


def test_a_script_has_the_same_options_by_its_configuration() -> None:
    configuration = {
        "shell.environment.A": "1",
        "shell.folder": "in",
        "shell.timeoutSeconds": "0.5",
        "shell.results": "a.csv, out/**/*.json",
    }
    wanted = Request((), {"A": "1"}, ("in",), 0.5, (("a.csv",), ("out", "**", "*.json")))
    assert parse("sh", "echo", configuration) == wanted


def test_what_the_code_of_exec_says_goes_before_the_configuration() -> None:
    code = json.dumps({"argv": ["x"], "environment": {"B": "code"}, "folder": "code"})
    configuration = {"shell.environment.A": "kept", "shell.environment.B": "not", "shell.folder": "not"}
    asked = parse("exec", code, {**configuration, "shell.timeoutSeconds": "7"})
    assert asked == Request(("x",), {"A": "kept", "B": "code"}, ("code",), 7.0)


@pytest.mark.parametrize(
    ("code", "field", "said"),
    [
        ('["ls",\n  oops]', "code", r"line 2, column 3: .*\[\"ls\", \"-l\"\]"),
        ("7", "code", "neither a list nor an object"),
        ("[" * 100_000, "code", "no JSON"),
        ("[]", "argv", "names no program"),
        ("{}", "argv", "must be a list of texts"),
        ('["ls", 3]', "argv", "must be a list of texts"),
        ('["ls", "\\u0000"]', "argv", "without NUL"),
        ('{"argv": ["a"], "timeoutSecond": 1}', "timeoutSecond", "do you mean timeoutSeconds"),
        ('{"argv": ["a"], "zzz": 1}', "zzz", "there are: argv, environment"),
        ('{"argv": ["a"], "environment": []}', "environment", "must be an object of texts"),
        ('{"argv": ["a"], "environment": {"A": 1}}', "environment.A", "must be a text"),
        ('{"argv": ["a"], "environment": {"A-B": "1"}}', "environment.A-B", "no name of a variable"),
        ('{"argv": ["a"], "environment": {"HEADGATE_X": "1"}}', "environment.HEADGATE_X", "the service sets"),
        ('{"argv": ["a"], "folder": "/etc"}', "folder", "leads out of the workspace"),
        ('{"argv": ["a"], "folder": "a/../../b"}', "folder", "leads out of the workspace"),
        ('{"argv": ["a"], "folder": 1}', "folder", "must be a text"),
        ('{"argv": ["a"], "timeoutSeconds": 0}', "timeoutSeconds", "above 0"),
        ('{"argv": ["a"], "timeoutSeconds": true}', "timeoutSeconds", "above 0"),
        ('{"argv": ["a"], "timeoutSeconds": NaN}', "timeoutSeconds", "above 0"),
        ('{"argv": ["a"], "results": "x.csv"}', "results", "must be a list"),
        ('{"argv": ["a"], "results": ["../x.csv"]}', "results", "leads out of the workspace"),
        ('{"argv": ["a"], "results": ["."]}', "results", "names no file"),
        (json.dumps({"argv": ["a"], "results": ["x"] * 101}), "results", "over 100 patterns"),
    ],
)
def test_what_is_wrong_is_named_with_the_fix(code: str, field: str, said: str) -> None:
    with pytest.raises(Invalid, match=said) as caught:
        parse("exec", code, {})
    assert (caught.value.code, caught.value.field) == (codes.STATEMENT_INVALID, field)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("shell.timeout", "1", "do you mean shell.timeoutSeconds"),
        ("shell.environment", "1", "do you mean shell.environment.<NAME>"),
        ("shell.environment.1A", "x", "shell.environment.1A is no name"),
        ("shell.timeoutSeconds", "soon", "shell.timeoutSeconds must be a number"),
        ("shell.folder", "..", "shell.folder '..' leads out"),
    ],
)
def test_the_configuration_is_checked_as_well(key: str, value: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        parse("shell", "echo", {key: value})
