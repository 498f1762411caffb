"""`headgate artifact`: files kept at the service for jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headgate.client import Client
from headgate.completion import artifact_names
from headgate.options import Output, Token, Url, User
from headgate.show import Format, one, rows, say

app = typer.Typer(
    no_args_is_help=True,
    help="""Artifacts: jars and other files that jobs use, in versions that never change.

    Example: headgate artifact push my-job.jar
    """,
)
Reference = Annotated[
    str,
    typer.Argument(help="Its name, <owner>/<name> or id; @v000001 for a version.", autocompletion=artifact_names),
]


@app.command("push")
def push(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The file.")],
    name: Annotated[str | None, typer.Option(help="By default that of the file, without .jar.")] = None,
    output: Output = Format.TABLE,
    url: Url = None,
    user: User = None,
    token: Token = None,
) -> None:
    """Send a file: a new artifact, or the next version of yours of that name. A jar is opened and checked.

    Nothing is sent when the newest version is this file already.

    Example: headgate artifact push my-job.jar; headgate run job.sql --set headgate.jars=my-job
    """
    told = Client(url, user, token).push_artifact(file, name)
    for warning in told["warnings"]:
        say(f"warning: {warning}")
    names = ("name", "version", "resourceId", "size", "sha256", "unchanged")
    one({name: told[name] for name in names}, output)


@app.command("list")
def list_artifacts(output: Output = Format.TABLE, url: Url = None, user: User = None, token: Token = None) -> None:
    """List your artifacts and those shared with you, the newest first.

    Example: headgate artifact list
    """
    names = ["name", "version", "user", "size", "fileName", "resourceId"]
    found = Client(url, user, token).artifacts()
    rows(names, ([each[name] for name in names] for each in found), output)


@app.command("show")
def show(
    reference: Reference, output: Output = Format.TABLE, url: Url = None, user: User = None, token: Token = None
) -> None:
    """Print what is known of an artifact; of yours also whom it is shared with and which jobs use it.

    Example: headgate artifact show my-job@v000002
    """
    found = Client(url, user, token).artifact(reference)
    version = found["versionInfo"]
    told = {name: found[name] for name in ("name", "owner", "resourceId")} | {"versions": found["numberOfVerions"]}
    told |= {name: version[name] for name in ("version", "fileName", "size", "sha256", "resource")}
    told |= version.get("jar", {})
    told |= {name: found[name] for name in ("sharedWith", "usedBy") if name in found}
    if output is not Format.JSON:
        told["entryClasses"] = ", ".join(told.get("entryClasses", []))
        told["sharedWith"] = ", ".join(told.get("sharedWith", []))
        told["usedBy"] = ", ".join(f"{job['taskID']} ({job['version']})" for job in told.get("usedBy", []))
    one(told, output)


@app.command("pull")
def pull(
    reference: Reference,
    to: Annotated[Path, typer.Argument(help="The file to write, or the folder to write into.")] = Path("."),
    output: Output = Format.TABLE,
    url: Url = None,
    user: User = None,
    token: Token = None,
) -> None:
    """Fetch an artifact's file.

    Example: headgate artifact pull my-job@v000001 old.jar
    """
    one({"pulled": str(Client(url, user, token).pull_artifact(reference, to))}, output)


@app.command("rm")
def rm(
    reference: Reference, output: Output = Format.TABLE, url: Url = None, user: User = None, token: Token = None
) -> None:
    """Remove an artifact, or one version of it; refused while a job that has not ended uses it.

    Example: headgate artifact rm my-job@v000001
    """
    Client(url, user, token).remove_artifact(reference)
    one({"removed": reference}, output)


@app.command("share")
def share(
    reference: Reference,
    users: Annotated[
        list[str] | None, typer.Option("--with", help="Who may read and use it; '*' is everybody.")
    ] = None,
    output: Output = Format.TABLE,
    url: Url = None,
    user: User = None,
    token: Token = None,
) -> None:
    """Share an artifact with these users, and with no others; without --with nobody else reads it any longer.

    Example: headgate artifact share my-job --with alice --with bob
    """
    readers = Client(url, user, token).share_artifact(reference, users or [])
    one({"sharedWith": readers if output is Format.JSON else ", ".join(readers) or "nobody"}, output)
