"""The help teaches: every command's with an example, and the first page says where to begin."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from headgate.cli import app
from typer.testing import CliRunner


def commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command and group below."""
    for name, below in getattr(command, "commands", {}).items():
        yield (*words, name)
        yield from commands(below, (*words, name))


ALL = [" ".join(words) for words in commands(typer.main.get_command(app))]


@pytest.mark.parametrize("command", ALL)
def test_the_help_of_every_command_shows_an_example(command: str) -> None:
    shown = CliRunner().invoke(app, [*command.split(), "--help"])
    assert shown.exit_code == 0 and f"headgate {command}" in shown.output.partition("Example: ")[2]


def test_the_first_page_says_where_to_begin() -> None:
    shown = CliRunner().invoke(app, ["--help"]).output
    begin = shown.partition("Where to begin:\n")[2].partition("\n\n")[0]
    named = set(re.findall(r"^ +headgate (\w+)", begin, re.MULTILINE))
    assert {"login", "run", "jobs"} <= named <= set(ALL)
    assert "--install-completion" in begin


def test_there_are_commands() -> None:
    assert {"run", "results", "users add", "users revoke"} <= set(ALL)
