"""The `headgate` command."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Annotated

import typer

from headgate import accounts, artifact_commands, credentials, printing, savepoints
from headgate.client import Client, Job
from headgate.errors import HeadgateError
from headgate.follow import EXIT, Follower
from headgate.options import (
    Creator,
    Engine,
    File,
    Id,
    Inline,
    MaxRows,
    Number,
    Output,
    Password,
    ResultOutput,
    Sets,
    Status,
    Token,
    Url,
    User,
    Vars,
    ask,
    pairs,
)
from headgate.show import Format, ResultFormat, one, plain, rows, say

USAGE, UNREACHABLE, INTERRUPTED = 2, 5, 130
app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="""Run SQL and other code on Headgate's engines.

    \b
    Where to begin:
      headgate login --url http://127.0.0.1:9001   once; beside a service of your own there is no need
      headgate run -e "SELECT 1 AS one"            submit, follow, print the results
      headgate jobs                                what has become of your jobs
      headgate run --help                          every command shows examples
      headgate --install-completion                Tab completes commands, job ids, engines, forms

    Where to and as whom: --url, --user and --token; then HEADGATE_URL, HEADGATE_USER and HEADGATE_TOKEN; then what
    'headgate login' kept; then $HEADGATE_HOME/credentials.json, which a service on this machine writes for its owner.

    Exit codes: 0 Succeed, or the command did what it says; 1 Failed; 2 usage; 3 Cancelled; 4 Timeout; 5 unreachable
    or refused; 130 interrupted, the job goes on.
    """,
)
app.add_typer(accounts.app, name="users")
app.add_typer(savepoints.app, name="savepoints")
app.add_typer(artifact_commands.app, name="artifact")


def main() -> None:
    """Entry point: what goes wrong ends with one line on stderr and an exit code, never with a traceback."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # not every terminal can show every character
    try:
        app(prog_name="headgate")
    except HeadgateError as error:
        say(f"headgate: {error}")
        sys.exit(UNREACHABLE)
    except OSError as error:  # of this machine's own files; the service's are HeadgateErrors
        say(f"headgate: {error}")
        sys.exit(USAGE)


@app.command()
def run(
    file: File = None,
    e: Inline = None,
    var: Vars = None,
    set_: Sets = None,
    engine: Engine = "flink",
    creator: Creator = "IDE",
    result: Number = None,
    max_rows: MaxRows = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Do not show the log.")] = False,
    output: ResultOutput = ResultFormat.TABLE,
    url: Url = None,
    user: User = None,
    token: Token = None,
) -> None:
    """Submit a script, follow it, and print its results.

    Its log and progress go to stderr, its results to stdout. Ctrl-C asks whether to kill the job; without a terminal
    the job goes on. The exit code tells how it ended, see 'headgate --help'.

    Example: headgate run examples/orders.sql

    Example: headgate run -e 'SELECT ${n}' --var n=1 -o csv > one.csv

    Example: headgate run -e 'SELECT 1' --set execution.runtime-mode=batch

    Example: headgate run script.sql -o arrow --result 0 > first.arrow
    """
    printing.check_terminal(output)
    code, variables, configuration = _code(file, e), pairs(var), pairs(set_)
    client = Client(url, user, token)
    job = client.submit(code, engine=engine, creator=creator, variables=variables, configuration=configuration)
    try:
        status = Follower(job, quiet=quiet).to_end()
    except HeadgateError:
        say(f"job {job.id} was submitted and is no longer followed; later: headgate status {job.id}")
        raise
    if status is None:
        raise typer.Exit(INTERRUPTED)
    if status == "Succeed" or output is not ResultFormat.ARROW:
        printing.print_results(job, status, output, result, max_rows)
    if status != "Succeed":
        say(f"job {job.id} {status}: {job.history()['errDesc']}")
    raise typer.Exit(EXIT[status])


@app.command()
def submit(
    file: File = None,
    e: Inline = None,
    var: Vars = None,
    set_: Sets = None,
    engine: Engine = "flink",
    creator: Creator = "IDE",
    output: Output = Format.TABLE,
    url: Url = None,
    user: User = None,
    token: Token = None,
) -> None:
    """Submit a script and print its task id; it runs on without you.

    Example: id=$(headgate submit examples/orders.sql); headgate log -f $id; headgate results $id
    """
    code, variables, configuration = _code(file, e), pairs(var), pairs(set_)
    client = Client(url, user, token)
    job = client.submit(code, engine=engine, creator=creator, variables=variables, configuration=configuration)
    one({"taskID": job.id}, output)


@app.command()
def status(id: Id, output: Output = Format.TABLE, url: Url = None, user: User = None, token: Token = None) -> None:
    """Print a job's status.

    It is Inited, Scheduled, Running, or for good: Succeed, Failed, Cancelled, Timeout.

    Example: headgate status 17
    """
    one({"status": Client(url, user, token).job(id).status()}, output)


@app.command()
def progress(id: Id, output: Output = Format.TABLE, url: Url = None, user: User = None, token: Token = None) -> None:
    """Print how far a job is, from 0 to 1.

    Example: headgate progress 17 -o json
    """
    one({"progress": Client(url, user, token).job(id).progress().fraction}, output)


@app.command()
def log(
    id: Id,
    follow_: Annotated[bool, typer.Option("-f", "--follow", help="Go on until the job has ended.")] = False,
    output: Output = Format.TABLE,
    url: Url = None,
    user: User = None,
    token: Token = None,
) -> None:
    """Print a job's log.

    Example: headgate log -f 17
    """
    job = Client(url, user, token).job(id)
    lines = job.follow() if follow_ else _whole_log(job)
    if output is Format.TABLE:
        for line in lines:
            print(plain(line), flush=True)
    else:
        rows(["line"], ([line] for line in lines), output)


@app.command()
def kill(id: Id, output: Output = Format.TABLE, url: Url = None, user: User = None, token: Token = None) -> None:
    """Ask a job to stop; harmless when it has ended.

    Example: headgate kill 17
    """
    job = Client(url, user, token).job(id)
    job.kill()
    one({"killed": id}, output)


@app.command()
def results(
    id: Id,
    result: Number = None,
    max_rows: MaxRows = None,
    output: ResultOutput = ResultFormat.TABLE,
    url: Url = None,
    user: User = None,
    token: Token = None,
) -> None:
    """Print a job's result sets, as far as they are there.

    Example: headgate results 17 --max-rows 10 -o csv

    Example: headgate results 17 --result 1 -o arrow > second.arrow
    """
    printing.check_terminal(output)
    job = Client(url, user, token).job(id)
    printing.print_results(job, job.status(), output, result, max_rows)


@app.command()
def jobs(
    page: Annotated[int, typer.Option(min=1)] = 1,
    page_size: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    status: Status = "",
    output: Output = Format.TABLE,
    url: Url = None,
    user: User = None,
    token: Token = None,
) -> None:
    """List your jobs, newest first.

    Example: headgate jobs --status Running,Failed --page-size 50
    """
    names = ["taskID", "status", "progress", "engineType", "runType", "requestApplicationName", "costTime", "errDesc"]
    found = Client(url, user, token).jobs(page, page_size, status)
    rows(names, ([task[name] for name in names] for task in found), output)


@app.command()
def login(
    url: Annotated[str | None, typer.Option(envvar="HEADGATE_URL", help="Where the service is.")] = None,
    user: Annotated[str | None, typer.Option(envvar="HEADGATE_USER", help="As whom.")] = None,
    password: Password = None,
    output: Output = Format.TABLE,
) -> None:
    """Log in, for this and later commands.

    The log-in, not the password, is kept in ~/.config/headgate/credentials.json.

    Example: headgate login --url http://127.0.0.1:9001 --user alice
    """
    client = Client(url or ask("URL"), user or ask("User"), password=password or ask("Password", hidden=True))
    path = credentials.save(client.credentials)
    one({"saved": str(path)}, output)


def _code(file: Path | None, inline: str | None) -> str:
    if (file is None) == (inline is None):
        raise typer.BadParameter("give either a FILE or -e CODE")
    if inline is not None:
        return inline
    assert file is not None
    try:
        return (sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{file}: {error}") from None


def _whole_log(job: Job) -> list[str]:
    lines: list[str] = []
    while more := job.log(len(lines)):
        lines += more
    return lines
