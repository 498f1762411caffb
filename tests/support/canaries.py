"""Secrets that are like no other text, and a search for them wherever a service leaves anything."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx2

from tests.support.rest import PREFIX
from tests.support.routes import ARTIFACT


@dataclass(frozen=True)
class Allowed:
    """Where some canaries may be: `phase` and `place` are regular expressions for whole names."""

    phase: str
    place: str
    kinds: frozenset[str]
    why: str


@dataclass
class Canaries:
    """By kind; `found` says where each was seen in which phase."""

    allowed: Sequence[Allowed]
    kinds: dict[str, str] = field(default_factory=dict)
    found: set[tuple[str, str, str]] = field(default_factory=set)
    searched: set[str] = field(default_factory=set)

    def make(self, kind: str) -> str:
        return self.kinds.setdefault(kind, f"cAnary{token_hex(8)}")

    def search(self, phase: str, place: str, content: str | bytes) -> None:
        self.searched.add(place)
        raw = content if isinstance(content, bytes) else content.encode("utf-8", "replace")
        self.found |= {(phase, place, kind) for kind, secret in self.kinds.items() if secret.encode() in raw}

    def leaks(self) -> list[tuple[str, str, str]]:
        return sorted(one for one in self.found if not any(_may(allowed, *one) for allowed in self.allowed))

    def unused(self) -> list[Allowed]:
        """Exceptions that nothing needs (any more): then the search may have missed what it was to see."""
        return [allowed for allowed in self.allowed if not any(_may(allowed, *one) for one in self.found)]


def _may(allowed: Allowed, phase: str, place: str, kind: str) -> bool:
    fits = re.fullmatch(allowed.phase, phase) and re.fullmatch(allowed.place, place)
    return bool(fits) and kind in allowed.kinds


def files(home: Path) -> Iterator[tuple[str, bytes]]:
    """Every file under the home, by name and content."""
    for path in sorted(home.rglob("*")):
        if path.is_file():
            yield f"file:{path.relative_to(home)}", path.read_bytes()


def rows(database: Path) -> Iterator[tuple[str, str]]:
    """Every row of every table."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in db.execute(f"SELECT * FROM {table}"):
                yield f"row:{table}", repr(row)


def processes(names: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """Command line and environment of every process; one whose command line holds a key of `names` has that name."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                line, environment = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
            except OSError:
                continue
            shown = line.replace(b"\0", b" ").decode("utf-8", "replace")
            name = next((name for part, name in names.items() if part in shown), "other")
            yield f"cmdline:{name}", line
            yield f"environ:{name}", environment


def answers(
    http: httpx2.Client, tasks: Sequence[Mapping[str, Any]], leave_out: tuple[str, ...]
) -> Iterator[tuple[str, bytes]]:
    """What every route that GET goes to answers for each of these jobs (as /jobhistory/{id}/get shows them)."""
    routes = http.get("/openapi.json").json()["paths"]
    for route, methods in routes.items():
        if "get" not in methods or route.endswith(leave_out):
            continue
        for task in tasks:
            for path in (task["logPath"], task["resultLocation"], f"{task['resultLocation']}/_0.dolphin"):
                query = {name: str(task["taskID"]) for name in ("taskID", "jobId", "taskId")}
                query |= {"path": path, "pageSize": "1000", "isAdminView": "true", "resourceId": ARTIFACT}
                filled = route.replace("{id}", str(task["taskID"])).replace("{n}", "0")
                if "{" not in filled:
                    yield f"rest:{route.removeprefix(PREFIX)}", http.get(filled, params=query).content
