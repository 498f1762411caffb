"""`-o arrow`: one result set as an Arrow IPC stream on stdout."""

from __future__ import annotations

import re
import subprocess
import sys

import pyarrow as pa
import pytest
from headgate import Job

from tests.conftest import Service
from tests.e2e.conftest import COMMAND, Headgate
from tests.e2e.test_terminal import Terminal

SHELL = ("--engine", "shell-1")
NO_PYARROW = "import sys; sys.modules['pyarrow'] = None; from headgate.cli import main; main()"


def arrow(headgate: Headgate, *arguments: str, code: int = 0, program: tuple[str, ...] = COMMAND) -> tuple[bytes, str]:
    done = subprocess.run([*program, *arguments], env=headgate.environment, capture_output=True, timeout=120)
    assert done.returncode == code, done.stderr.decode()
    return done.stdout, done.stderr.decode()


def rows(content: bytes) -> list[dict[str, object]]:
    found: list[dict[str, object]] = pa.ipc.open_stream(content).read_all().to_pylist()
    return found


@pytest.mark.parametrize("command", ["run", "results"])
def test_one_result_set_is_a_stream_and_needs_no_pyarrow(headgate: Headgate, ended: Job, command: str) -> None:
    program = (sys.executable, "-P", "-c", NO_PYARROW)
    what = ("run", *SHELL, "-e", "seq 3000") if command == "run" else ("results", str(ended.id))
    content, _ = arrow(headgate, *what, "-o", "arrow", program=program)
    expected = [str(n) for n in range(1, 3001)] if command == "run" else ["one", "a,b"]
    assert [row["line"] for row in rows(content)] == expected
    content, _ = arrow(headgate, *what, "-o", "arrow", "--max-rows", "1")
    assert [row["line"] for row in rows(content)] == expected[:1]


def test_a_terminal_is_refused_before_anything_is_submitted(headgate: Headgate, service: Service) -> None:
    before = service.client().jobs(page_size=1)
    for command in (("run", *SHELL, "-e", "echo hi"), ("results", "1")):
        terminal = Terminal(headgate.environment, *command, "-o", "arrow")
        assert terminal.end() == 2
        said = re.sub(r"\s+", " ", terminal.shown)
        assert "not for a terminal: redirect it, such as -o arrow > result.arrow, or pipe it" in said
    assert service.client().jobs(page_size=1) == before


def test_one_of_several_result_sets_is_chosen_by_its_number(headgate: Headgate) -> None:
    code = "SELECT 1 AS a; SELECT 2 AS b; SELECT 3 AS c"
    content, err = arrow(headgate, "run", "-e", code, "--set", "execution.runtime-mode=batch", "-o", "arrow", code=2)
    said = re.search(r"job (\d+) has 3 result sets, 0 to 2; name one; .*headgate results \1 -o … --result N", err)
    assert said and not content
    job = said[1]
    content, _ = arrow(headgate, "results", job, "-o", "arrow", "--result", "1")
    assert rows(content) == [{"b": 2}]
    assert headgate("results", job, "-o", "csv", "--result", "2")[0] == "c\n3\n"
    content, err = arrow(headgate, "results", job, "-o", "arrow", "--result", "3", code=2)
    assert f"job {job} has 3 result sets, 0 to 2; there is no 3" in err and not content


def test_without_a_result_set_there_is_an_error_and_no_stream(headgate: Headgate) -> None:
    content, err = arrow(headgate, "run", *SHELL, "-e", "exit 3", "-o", "arrow", code=1)
    assert not content and "exit code 3" in err


def test_other_commands_have_no_arrow(headgate: Headgate) -> None:
    assert "arrow" in headgate("jobs", "-o", "arrow", code=2)[1]
