"""What the commands share: their options, and asking for what was not given."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from headgate.completion import engines, job_ids, statuses
from headgate.show import Format, ResultFormat


def from_file(name: str | None) -> str | None:
    """A secret from the first line of a file, or of standard input: everybody on a machine sees command lines."""
    if name is None or name == "-":
        return name and sys.stdin.readline().rstrip("\r\n")
    try:
        with open(name) as file:
            return file.readline().rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise typer.BadParameter(
            "that is no file to read; give a file that holds it, or - for standard input"
        ) from None


_FILE = "its first line; - is standard input"
Output = Annotated[Format, typer.Option("-o", "--output", help="How to print: table, json or csv.")]
ResultOutput = Annotated[
    ResultFormat, typer.Option("-o", "--output", help="How to print: table, json, csv or arrow (one IPC stream).")
]
Url = Annotated[str | None, typer.Option(help="Where the service is (or HEADGATE_URL).")]
User = Annotated[str | None, typer.Option(help="As whom (or HEADGATE_USER).")]
Token = Annotated[
    str | None,
    typer.Option(metavar="FILE", callback=from_file, help=f"File with the token in {_FILE} (or HEADGATE_TOKEN)."),
]
Id = Annotated[str, typer.Argument(help="The task id, as 'submit' and 'jobs' print it.", autocompletion=job_ids)]
Engine = Annotated[str, typer.Option(help="Such as flink, flink-1.20.5 or shell-1.", autocompletion=engines)]
File = Annotated[Path | None, typer.Argument(help="A script; - reads standard input.")]
Inline = Annotated[str | None, typer.Option("-e", help="The code itself, instead of a file.")]
Vars = Annotated[list[str] | None, typer.Option("--var", help="A variable k=v for ${k} in the code; may be repeated.")]
Sets = Annotated[
    list[str] | None, typer.Option("--set", help="An engine setting k=v, applied as SET; may be repeated.")
]
MaxRows = Annotated[
    int | None, typer.Option(min=0, help="Rows printed of each result set; by default 1000, with arrow all.")
]
Number = Annotated[int | None, typer.Option("--result", min=0, help="Only this result set, from 0.")]
Status = Annotated[str, typer.Option(help="Only these, such as Running,Failed.", autocompletion=statuses)]
Password = Annotated[
    str | None,
    typer.Option(metavar="FILE", callback=from_file, help=f"File with it in {_FILE}; asked for if not given."),
]
Creator = Annotated[str, typer.Option(help="The application you work in; limits are kept per user and creator.")]


def pairs(texts: list[str] | None) -> dict[str, str]:
    """What --var and --set were given. Raises BadParameter."""
    found = {}
    for text in texts or []:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{text!r} is not k=v")
        found[name] = value
    return found


def ask(what: str, *, hidden: bool = False, twice: bool = False) -> str:
    """Asked on stderr: stdout is for data."""
    try:
        return str(typer.prompt(what, hide_input=hidden, confirmation_prompt=twice, err=True))
    except typer.Abort:
        raise typer.BadParameter(f"{what} was not given") from None
