"""What the Tab key offers after a command."""

from __future__ import annotations

from collections.abc import Callable

import typer
from rich.markup import escape

from headgate.client import Client
from headgate.errors import HeadgateError
from headgate.show import plain

MOST_JOBS = 50
ANSWER_SECONDS = 2.0
ENGINES = ("flink", "flink-1.20.5", "flink-2.3.0", "seatunnel-2.3.8", "shell-1")
STATUSES = ("Inited", "Scheduled", "Running", "Succeed", "Failed", "Cancelled", "Timeout")
_LONGEST_CODE = 40


def job_ids(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Your newest jobs, each with what it is; none when the service does not answer soon."""
    return _asked(ctx, lambda client: [(str(t["taskID"]), _about(t)) for t in client.jobs(page_size=MOST_JOBS)])


def artifact_names(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The artifacts you may use, each with its file; none when the service does not answer soon."""
    return _asked(ctx, lambda client: [_named(each, client.credentials.user) for each in client.artifacts()])


def engines(incomplete: str) -> list[str]:
    """Engine labels."""
    return list(ENGINES)


def statuses(incomplete: str) -> list[str]:
    """One more status after those that are written."""
    before = incomplete.rpartition(",")[0]
    written = before.split(",") if before else []
    return [",".join([*written, status]) for status in STATUSES if status not in written]


def _asked(ctx: typer.Context, what: Callable[[Client], list[tuple[str, str]]]) -> list[tuple[str, str]]:
    where = {name: ctx.params.get(name) for name in ("url", "user", "token")}
    try:
        with Client(**where, timeout_seconds=ANSWER_SECONDS) as client:
            return what(client)
    except (HeadgateError, OSError):
        return []


def _named(artifact: dict[str, object], user: str) -> tuple[str, str]:
    own = artifact["user"] == user
    name = artifact["name"] if own else f"{artifact['user']}/{artifact['name']}"
    return str(name), escape(plain(f"{artifact['version']} {artifact['fileName']}"))


def _about(task: dict[str, object]) -> str:
    code = " ".join(str(task["executionCode"]).split())[:_LONGEST_CODE]
    return escape(plain(f"{task['status']} {task['engineType']} {code}"))
