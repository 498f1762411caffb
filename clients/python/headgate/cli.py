"""The `headgate` command."""

from __future__ import annotations

import json
import sys
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from headgate import credentials
from headgate.client import Client, Job
from headgate.errors import HeadgateError
from headgate.follow import EXIT, ask_to_kill, follow
from headgate.show import Format, err, one, rows

UNREACHABLE = 5
app = typer.Typer(no_args_is_help=True, add_completion=False, help="Run SQL and other code on Headgate's engines.")
users = typer.Typer(no_args_is_help=True, help="Users; for administrators.")
app.add_typer(users, name="users")

Output = Annotated[Format, typer.Option("-o", "--output", help="How to print: table, json or csv.")]
Url = Annotated[str | None, typer.Option(help="Where the service is (or HEADGATE_URL).")]
User = Annotated[str | None, typer.Option(help="As whom (or HEADGATE_USER).")]
Token = Annotated[str | None, typer.Option(help="With which token (better: HEADGATE_TOKEN).")]
Id = Annotated[str, typer.Argument(help="A task id, or an execID.")]
Engine = Annotated[str, typer.Option(help="Such as flink, flink-1.20.5 or shell-1.")]
File = Annotated[Path | None, typer.Argument(help="A script; - reads standard input.")]
Inline = Annotated[str | None, typer.Option("-e", help="The code itself, instead of a file.")]
Vars = Annotated[list[str] | None, typer.Option("--var", help="A variable k=v for ${k} in the code; may be repeated.")]
Sets = Annotated[
    list[str] | None, typer.Option("--set", help="An engine setting k=v, applied as SET; may be repeated.")
]
Creator = Annotated[str, typer.Option(help="The application you work in; limits are kept per user and creator.")]


def main() -> None:
    """Entry point: errors of the service end with exit code 5 and one line on stderr."""
    try:
        app()
    except HeadgateError as error:
        err.print(f"headgate: {error}", markup=False)
        sys.exit(UNREACHABLE)


@app.command()
def run(
    file: File = None,
    e: Inline = None,
    var: Vars = None,
    set_: Sets = None,
    engine: Engine = "flink",
    creator: Creator = "IDE",
    max_rows: Annotated[int, typer.Option(min=0, help="Rows shown of each result set.")] = 1000,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Do not show the log.")] = False,
    output: Output = Format.TABLE,
    url: Url = None,
    user: User = None,
    token: Token = None,
) -> None:
    """Submit a script, follow it, and print its results.

    Example: headgate run examples/orders.sql; headgate run -e "SELECT 1" -o csv > one.csv

    Exit codes: 0 Succeed, 1 Failed, 2 usage, 3 Cancelled, 4 Timeout, 5 unreachable or refused.
    """
    client = Client(url, user, token)
    job = client.submit(
        _code(file, e), engine=engine, creator=creator, variables=_pairs(var), configuration=_pairs(set_)
    )
    try:
        status = follow(job, quiet=quiet)
    except KeyboardInterrupt:
        if not ask_to_kill(job):
            raise typer.Exit(EXIT["Cancelled"]) from None
        job.kill()
        status = follow(job, quiet=quiet)
    _print_results(job, status, max_rows, output)
    if status != "Succeed":
        err.print(f"job {job.id} {status}: {job.history()['errDesc']}", markup=False)
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
    """Submit a script and print its task id; it runs on without you."""
    client = Client(url, user, token)
    job = client.submit(
        _code(file, e), engine=engine, creator=creator, variables=_pairs(var), configuration=_pairs(set_)
    )
    one({"taskID": job.id}, output)


@app.command()
def status(id: Id, output: Output = Format.TABLE, url: Url = None, user: User = None, token: Token = None) -> None:
    """Print a job's status."""
    one({"status": Client(url, user, token).job(id).status()}, output)


@app.command()
def progress(id: Id, output: Output = Format.TABLE, url: Url = None, user: User = None, token: Token = None) -> None:
    """Print how far a job is, from 0 to 1."""
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
    """Print a job's log."""
    job = Client(url, user, token).job(id)
    lines = job.follow_log() if follow_ else _whole_log(job)
    if output is Format.TABLE:
        for line in lines:
            print(line, flush=True)
    else:
        rows(["line"], ([line] for line in lines), output)


@app.command()
def kill(id: Id, output: Output = Format.TABLE, url: Url = None, user: User = None, token: Token = None) -> None:
    """Ask a job to stop."""
    job = Client(url, user, token).job(id)
    job.kill()
    one({"killed": id}, output)


@app.command()
def results(
    id: Id,
    max_rows: Annotated[int, typer.Option(min=0, help="Rows shown of each result set.")] = 1000,
    output: Output = Format.TABLE,
    url: Url = None,
    user: User = None,
    token: Token = None,
) -> None:
    """Print a job's result sets."""
    job = Client(url, user, token).job(id)
    _print_results(job, job.status(), max_rows, output)


@app.command()
def jobs(
    page: Annotated[int, typer.Option(min=1)] = 1,
    page_size: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    status: Annotated[str, typer.Option(help="Only these, such as Running,Failed.")] = "",
    output: Output = Format.TABLE,
    url: Url = None,
    user: User = None,
    token: Token = None,
) -> None:
    """List your jobs, newest first."""
    names = ["taskID", "status", "progress", "engineType", "runType", "requestApplicationName", "costTime", "errDesc"]
    found = Client(url, user, token).jobs(page, page_size, status)
    rows(names, ([task[name] for name in names] for task in found), output)


@app.command()
def login(
    url: Annotated[str, typer.Option(prompt="URL", envvar="HEADGATE_URL", help="Where the service is.")],
    user: Annotated[str, typer.Option(prompt="User", envvar="HEADGATE_USER", help="As whom.")],
    password: Annotated[str, typer.Option(prompt="Password", hide_input=True, help="Asked for when not given.")],
    output: Output = Format.TABLE,
) -> None:
    """Log in and keep the log-in (not the password) in ~/.config/headgate/credentials.json."""
    client = Client(url, user, password=password)
    path = credentials.save(client.credentials)
    one({"saved": str(path)}, output)


@users.command("add")
def users_add(
    name: Annotated[str, typer.Argument(help="At most 20 of letters, digits, _ and .")],
    password: Annotated[str, typer.Option(prompt="Password", hide_input=True, confirmation_prompt=True)],
    admin: Annotated[bool, typer.Option(help="Make an administrator.")] = False,
    output: Output = Format.TABLE,
    url: Url = None,
    user: User = None,
    token: Token = None,
) -> None:
    """Create a user."""
    Client(url, user, token).create_user(name, password, is_admin=admin)
    one({"created": name}, output)


def _code(file: Path | None, inline: str | None) -> str:
    if (file is None) == (inline is None):
        raise typer.BadParameter("give either a FILE or -e CODE")
    if inline is not None:
        return inline
    assert file is not None
    if str(file) == "-":
        return sys.stdin.read()
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{file}: {error}") from None


def _pairs(texts: list[str] | None) -> dict[str, str]:
    pairs = {}
    for text in texts or []:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{text!r} is not k=v")
        pairs[name] = value
    return pairs


def _whole_log(job: Job) -> list[str]:
    lines: list[str] = []
    while more := job.log(len(lines)):
        lines += more
    return lines


def _print_results(job: Job, status: str, max_rows: int, output: Format) -> None:
    if output is Format.JSON:
        sets = [
            {"columns": [vars(c) for c in found.columns], "rows": list(islice(found.rows(), max_rows))}
            for found in job.results()
        ]
        print(json.dumps({"job": job.id, "status": status, "results": sets}, ensure_ascii=False))
        return
    for number, found in enumerate(job.results()):
        if number and output is Format.CSV:
            print()
        rows([column.name for column in found.columns], found.rows(max_rows), output, f"Result {number}")
