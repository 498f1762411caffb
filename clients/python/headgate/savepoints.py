"""`headgate savepoints`: states of jobs that others go on from."""

from __future__ import annotations

from typing import Annotated

import typer

from headgate.client import Client
from headgate.options import Id, Output, Token, Url, User
from headgate.show import Format, one, rows
from headgate.values import Savepoint

_NAMES = ["id", "kind", "madeAt", "resumedBy", "disposedAt", "path"]
app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="""Keep the states of running jobs, and go on from them.

    \b
    Example: headgate savepoints suspend 17                                         its state is kept, and it ends
             headgate submit orders.conf --engine seatunnel --set headgate.resume=17   another goes on from there
    """,
)


@app.command("make")
def make(id: Id, output: Output = Format.TABLE, url: Url = None, user: User = None, token: Token = None) -> None:
    """Keep the state of a running job, which goes on.

    Example: headgate savepoints make 17
    """
    _print(Client(url, user, token).job(id).savepoint(), output)


@app.command("suspend")
def suspend(id: Id, output: Output = Format.TABLE, url: Url = None, user: User = None, token: Token = None) -> None:
    """Keep the state of a running job and end it.

    Example: headgate savepoints suspend 17
    """
    _print(Client(url, user, token).job(id).suspend(), output)


@app.command("list")
def list_(id: Id, output: Output = Format.TABLE, url: Url = None, user: User = None, token: Token = None) -> None:
    """List a job's savepoints, the oldest first.

    Example: headgate savepoints list 17 -o json
    """
    rows(_NAMES, (_row(each) for each in Client(url, user, token).job(id).savepoints()), output)


@app.command("rm")
def remove(
    id: Id,
    savepoint: Annotated[int, typer.Argument(min=1, help="Its id, as 'savepoints list' prints it.")],
    output: Output = Format.TABLE,
    url: Url = None,
    user: User = None,
    token: Token = None,
) -> None:
    """Remove a savepoint for good.

    Example: headgate savepoints rm 17 3
    """
    Client(url, user, token).job(id).dispose(savepoint)
    one({"removed": savepoint}, output)


def _print(savepoint: Savepoint, output: Format) -> None:
    one(dict(zip(_NAMES, _row(savepoint), strict=True)), output)


def _row(each: Savepoint) -> list[object]:
    return [each.id, each.kind, each.made_at_ms, each.resumed_by, each.disposed_at_ms, each.path]
