"""The `headgate` command on a terminal: the bar, and what Ctrl-C asks."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import time

import pytest

from tests.conftest import Service
from tests.e2e.conftest import COMMAND, Headgate

SHELL = ("--engine", "shell-1")
SPAWN = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"


class Terminal:
    """The command on a terminal."""

    def __init__(self, environment: dict[str, str], *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", SPAWN, *COMMAND, *arguments],
            env=environment | {"TERM": "xterm", "COLUMNS": "100"}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self.shown = ""

    def until(self, pattern: str) -> re.Match[str]:
        """Read until the pattern is shown."""
        assert self._process.stdout is not None
        until = time.monotonic() + 60
        while (found := re.search(pattern, self.shown)) is None:
            assert time.monotonic() < until, self.shown
            if select.select([self._process.stdout], [], [], 1.0)[0]:
                more = os.read(self._process.stdout.fileno(), 65536)
                assert more, self.shown
                self.shown += more.decode(errors="replace")
        return found

    def press(self, keys: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(keys.encode())
        self._process.stdin.flush()

    def end(self) -> int:
        out, _ = self._process.communicate(timeout=60)
        self.shown += out.decode(errors="replace")
        return self._process.returncode


def test_a_terminal_shows_a_bar_and_then_the_table(headgate: Headgate) -> None:
    terminal = Terminal(headgate.environment, "run", *SHELL, "-e", "echo first; sleep 1; echo last")
    terminal.until(r"job \d+ Running.*━+.* 0 %.*0:00:0")
    assert terminal.end() == 0
    assert "│ first │" in terminal.shown and "│ last  │" in terminal.shown
    assert not re.search(r"job \d+ Running 0%", terminal.shown)


def test_ctrl_c_on_a_terminal_asks_and_kills(headgate: Headgate, service: Service) -> None:
    terminal = Terminal(headgate.environment, "run", *SHELL, "-e", "echo begin; sleep 600")
    terminal.until("INFO begin")
    terminal.press("\x03")
    job = terminal.until(r"Kill job (\d+)\? \[y/N\]")[1]
    terminal.press("y\n")
    assert terminal.end() == 3
    assert service.client().job(job).status() == "Cancelled"
    assert terminal.shown.count("INFO begin") == 1 and "Traceback" not in terminal.shown


@pytest.mark.parametrize("answer", ["n\n", "\x03"])
def test_ctrl_c_on_a_terminal_otherwise_lets_the_job_go_on(headgate: Headgate, service: Service, answer: str) -> None:
    terminal = Terminal(headgate.environment, "run", *SHELL, "-e", "echo begin; sleep 600")
    terminal.until("INFO begin")
    terminal.press("\x03")
    job = service.client().job(terminal.until(r"Kill job (\d+)\? \[y/N\]")[1])
    terminal.press(answer)
    assert terminal.end() == 130
    assert f"headgate log -f {job.id}" in terminal.shown and "Traceback" not in terminal.shown
    assert job.status() == "Running"
    job.kill()
    assert job.wait(30) == "Cancelled"
