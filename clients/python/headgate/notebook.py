"""`%load_ext headgate.notebook` gives notebooks and IPython the cell magic `%%headgate`."""

from __future__ import annotations

import shlex
import sys

import typer
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display

from headgate import markup
from headgate.client import Client, Job, ResultSet
from headgate.credentials import Credentials
from headgate.errors import HeadgateError
from headgate.options import Creator, Engine, Sets, Token, Url, User, Vars, pairs

_line = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
_clients: dict[Credentials, Client] = {}


class Results(list[ResultSet]):
    """The result sets of a cell, shown below one another; `job` is the cell's job."""

    def __init__(self, job: Job) -> None:
        super().__init__(job.results())
        self.job = job

    def _repr_html_(self) -> str:
        return "".join(result._repr_html_() for result in self)


class CellFailed(HeadgateError):
    """A cell went wrong; the notebook stops there, and shows one line instead of a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [f"headgate: {self}"]


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Called by %load_ext."""
    shell.magics_manager.register_function(run_cell, "cell", "headgate")


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Called by %unload_ext: results read no more rows."""
    shell.magics_manager.magics["cell"].pop("headgate", None)
    while _clients:
        _clients.popitem()[1].close()


def run_cell(line: str, cell: str) -> Results | Job | None:
    """Run the cell on Headgate; its results are the cell's value. %%headgate --help tells the options."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise UsageError(f"the line {line!r}: {error}") from None
    command = typer.main.get_command(_line)
    try:
        # also what --help ends with comes back from `main`: its exit code
        found = command.main(words, prog_name="%%headgate", standalone_mode=False, obj=cell)
        return found if isinstance(found, Results | Job) else None
    except HeadgateError as error:
        raise CellFailed(str(error)) from None
    except typer.TyperException as error:
        raise UsageError(f"{error.format_message()}; %%headgate --help tells the options") from None


@_line.command()
def _run(
    ctx: typer.Context,
    engine: Engine = "flink",
    var: Vars = None,
    set_: Sets = None,
    creator: Creator = "IDE",
    url: Url = None,
    user: User = None,
    token: Token = None,
) -> Results | Job:
    """Submit the cell, show its progress, and return its result sets.

    When it is interrupted, the job goes on and is returned.

    Example: %%headgate --engine flink-1.20.5 --var n=1 --set execution.runtime-mode=batch
    """
    variables, configuration = pairs(var), pairs(set_)
    client = _client(url, user, token)
    job = client.submit(ctx.obj, engine=engine, creator=creator, variables=variables, configuration=configuration)
    try:
        status = _show_until_ended(job)
    except KeyboardInterrupt:
        print(f"job {job.id} goes on; it is this cell's value, and .kill() ends it", file=sys.stderr)
        return job
    if status != "Succeed":
        display(Results(job))  # type: ignore[no-untyped-call]
        raise CellFailed(f"job {job.id} {status}: {job.history()['errDesc']}")
    return Results(job)


def _client(url: str | None, user: str | None, token: str | None) -> Client:
    """One for all cells that go to the same place as the same user: results read their rows through it later."""
    client = Client(url, user, token)
    return _clients.setdefault(client.credentials, client)


def _show_until_ended(job: Job) -> str:
    """The final status; meanwhile one line that changes."""
    told = _shown(job, "Inited", 0.0)
    line = display(told, raw=True, display_id=True)  # type: ignore[no-untyped-call]
    for update in job.watch():
        shown = _shown(job, update.status, update.progress.fraction)
        if shown != told:
            line.update(shown, raw=True)
            told = shown
    return update.status


def _shown(job: Job, status: str, fraction: float) -> dict[str, str]:
    return {
        "text/plain": f"job {job.id} {status} {fraction:.0%}",
        "text/html": markup.job(job.id, status, fraction),
    }
