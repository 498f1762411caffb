"""`headgate users`: users, their passwords and tokens."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from headgate.client import Client
from headgate.options import Output, Password, Token, Url, User, ask
from headgate.show import Format, one, rows

app = typer.Typer(
    no_args_is_help=True,
    help="""Users, their passwords and tokens.

    Example: headgate users list
    """,
)


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="At most 20 of letters, digits, _ and .")],
    password: Password = None,
    admin: Annotated[bool, typer.Option(help="Make an administrator.")] = False,
    output: Output = Format.TABLE,
    url: Url = None,
    user: User = None,
    token: Token = None,
) -> None:
    """Create a user; asks for his password. For administrators.

    Example: headgate users add alice
    """
    client = Client(url, user, token)
    client.create_user(name, password or ask("Password", hidden=True, twice=True), is_admin=admin)
    one({"created": name}, output)


@app.command("list")
def list_users(output: Output = Format.TABLE, url: Url = None, user: User = None, token: Token = None) -> None:
    """List users and the numbers of their tokens; who is no administrator sees himself.

    Example: headgate users list
    """
    names = ["userName", "isAdmin", "tokens"]
    found = Client(url, user, token).users()
    rows(names, ([who["userName"], who["isAdmin"], _numbers(who["tokens"])] for who in found), output)


@app.command("passwd")
def passwd(
    name: Annotated[str | None, typer.Argument(help="Whose; yours when not given.")] = None,
    password: Password = None,
    old: Password = None,
    output: Output = Format.TABLE,
    url: Url = None,
    user: User = None,
    token: Token = None,
) -> None:
    """Change a password; log-ins made with the old one end. Somebody else's: for administrators.

    Example: headgate users passwd alice
    """
    client = Client(url, user, token)
    name = name or client.credentials.user
    if name == client.credentials.user:
        old = old or ask("Old password", hidden=True)
    client.change_password(password or ask("Password", hidden=True, twice=True), old=old or "", name=name)
    one({"changed": name}, output)


@app.command("admin")
def admin(
    name: Annotated[str, typer.Argument(help="Who.")],
    yes: Annotated[bool, typer.Option("--yes/--no", help="Is one, or is none any longer.")] = True,
    output: Output = Format.TABLE,
    url: Url = None,
    user: User = None,
    token: Token = None,
) -> None:
    """Make another user an administrator; with --no take it away, and his tokens. For administrators.

    Example: headgate users admin alice --no
    """
    Client(url, user, token).set_administrator(name, yes)
    one({"changed": name}, output)


@app.command("token")
def token(
    legal: Annotated[list[str] | None, typer.Option("--for", help="Who may use it: you, or others; * is all.")] = None,
    days: Annotated[float | None, typer.Option(help="Valid so many days; for good when not given.")] = None,
    output: Output = Format.TABLE,
    url: Url = None,
    user: User = None,
    token: Token = None,
) -> None:
    """Make a token, which is printed once and kept nowhere. For others than you: for administrators.

    Example: headgate users token --for alice --for bob --days 30
    """
    made = Client(url, user, token).create_token(legal, days)
    one({"id": made["id"], "token": made["token"]}, output)


@app.command("revoke")
def revoke(
    id: Annotated[int, typer.Argument(help="The token's number, as 'users list' prints it.")],
    output: Output = Format.TABLE,
    url: Url = None,
    user: User = None,
    token: Token = None,
) -> None:
    """Make a token void at once; log-ins of its users end, for it may have made them.

    Example: headgate users revoke 7
    """
    Client(url, user, token).revoke_token(id)
    one({"revoked": id}, output)


def _numbers(tokens: list[dict[str, Any]]) -> str:
    """Such as 1 (admin), 7 (alice,bob)."""
    return ", ".join(f"{token['id']} ({','.join(token['legalUsers'])})" for token in tokens)
