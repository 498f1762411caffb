"""Jobs, result sets and `%%headgate` in IPython, against a real service."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from headgate import Client, Job
from headgate.notebook import Results
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import RichOutput, capture_output
from traitlets.config import Config

from tests.conftest import Service


@pytest.fixture
def shell(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    for name in ("url", "user", "token"):
        monkeypatch.setenv(f"HEADGATE_{name.upper()}", getattr(service, name))
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    shell.run_line_magic("load_ext", "headgate.notebook")
    yield shell
    shell.run_line_magic("unload_ext", "headgate.notebook")
    assert shell.find_cell_magic("headgate") is None
    InteractiveShell.clear_instance()


class Cell:
    """A cell that has run: its value or error, and what it showed."""

    def __init__(self, shell: InteractiveShell, text: str) -> None:
        with capture_output() as shown:
            done = shell.run_cell(text)
        self.value: Any = done.result
        self.error = done.error_in_exec
        self.outputs: list[RichOutput] = shown.outputs
        self.text = shown.stdout + shown.stderr

    def html(self) -> list[str]:
        return [output.data["text/html"] for output in self.outputs if "text/html" in output.data]


def test_a_cell_shows_its_progress_and_is_its_results(shell: InteractiveShell) -> None:
    shell.user_ns["number"] = 4
    line = "%%headgate --engine shell-1 --var 'who=a b' --var n={number} --set k=v --creator nb\n"
    cell = Cell(shell, line + "echo ${who}; sleep 1; echo ${n+1}")
    assert cell.error is None and isinstance(cell.value, Results)
    (result,) = cell.value
    assert list(result.rows()) == [["a b"], ["5"]] and list(result.to_pandas()["line"]) == ["a b", "5"]
    history = cell.value.job.history()
    assert '"runtime":{"k":"v"}' in history["paramsJson"].replace(" ", "") and history["requestApplicationName"] == "nb"
    assert "<td>a b</td>" in cell.value._repr_html_()

    bars = [output for output in cell.outputs if "progress" in output.data.get("text/html", "")]
    assert len(bars) >= 3 and not bars[0].update and all(bar.update for bar in bars[1:])
    assert len({bar.transient["display_id"] for bar in bars}) == 1
    said = [bar.data["text/plain"].split(" ", 2)[2] for bar in bars]
    assert any(text.startswith("Running") for text in said) and said[-1] == "Succeed 100%"
    assert len(said) == len(set(said))


def test_a_cell_that_fails_says_why_in_a_line_and_shows_what_there_is(shell: InteractiveShell) -> None:
    cell = Cell(shell, "%%headgate --engine shell-1\necho '<partly>'; exit 7")
    assert cell.error is not None and "Traceback" not in cell.text
    assert cell.text.splitlines()[-1].startswith("headgate: job ") and "exit code 7" in cell.text
    assert any("<td>&lt;partly&gt;</td>" in html for html in cell.html())
    assert "there is no engine" in Cell(shell, "%%headgate --engine nope\nSELECT 1").text


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--var novalue", "'novalue' is not k=v"),
        ("--nothing", "No such option: --nothing"),
        ("--var 'open", "No closing quotation"),
    ],
)
def test_a_line_that_is_wrong_is_a_usage_error(shell: InteractiveShell, line: str, said: str) -> None:
    cell = Cell(shell, f"%%headgate {line}\nSELECT 1")
    assert said in cell.text and "UsageError" in cell.text and "Traceback" not in cell.text


def test_help_tells_the_options(shell: InteractiveShell) -> None:
    cell = Cell(shell, "%%headgate --help\n-")
    assert cell.error is None and cell.value is None
    assert "--engine" in cell.text and "Example: %%headgate" in cell.text


def test_a_cell_that_is_interrupted_leaves_its_job(shell: InteractiveShell, service: Service) -> None:
    def interrupt() -> None:
        with Client(service.url, service.user, service.token) as client:
            (newest, *_) = client.jobs(page_size=1)
            for update in client.job(newest["taskID"]).watch():
                if any(line.endswith("INFO interrupt me") for line in update.lines):
                    break
        os.kill(os.getpid(), signal.SIGINT)

    later = threading.Thread(target=interrupt)
    submit = Client.submit

    def submitted(client: Client, *arguments: Any, **options: Any) -> Job:
        job = submit(client, *arguments, **options)
        later.start()
        return job

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Client, "submit", submitted)
        cell = Cell(shell, "%%headgate --engine shell-1\necho interrupt me; sleep 600")
    later.join()
    assert isinstance(cell.value, Job) and f"job {cell.value.id} goes on" in cell.text
    assert cell.value.status() == "Running"
    cell.value.kill()
    assert cell.value.wait(30) == "Cancelled"


def test_a_job_shows_itself(service: Service, ended: Job) -> None:
    shown = InteractiveShell.instance().display_formatter.format(ended)[0]  # type: ignore[union-attr]
    InteractiveShell.clear_instance()
    assert "Succeed" in shown["text/html"] and "100%" in shown["text/html"]
    assert shown["text/plain"] == f"<job {ended.id}>"
    failed = service.client().submit("echo no; exit 3", engine="shell-1")
    assert failed.wait(60) == "Failed"
    assert "exit code 3</pre>" in failed._repr_html_()
    assert "Get job by ID error" in service.client().job(999_999_999)._repr_html_()
