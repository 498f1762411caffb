"""A statement tried on a scratch session: nothing that it would do outside of the session is done. Blocking."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from services.engineconn.flink.session import Meaning, Parsed, Session

_EXECUTE = re.compile(r"^EXECUTE\s+", re.I)
_CHANGELOG = re.compile(r"changelogMode=\[([A-Z,]+)\]")


def rehearse(scratch: Session, text: str) -> bool:
    """Change the scratch session as the statement would, or explain it. Raises SqlError.

    Of a query: whether it only ever adds rows; an updating one says how each row changes those before.
    """
    parsed = scratch.parse(text)
    match parsed.meaning:
        case Meaning.SET:
            scratch.set(parsed)
        case Meaning.RESET:
            scratch.reset(parsed)
        case Meaning.SESSION:
            if parsed.name == "CreateTableOperation":
                _reachable(scratch, parsed.operation.getCatalogTable().getOptions())
            scratch.change(text, parsed)
        case Meaning.QUERY:
            return _only_adds(scratch, text)
        case Meaning.MODIFY:
            _explain(scratch, text, parsed)
    return True


def _explain(scratch: Session, text: str, parsed: Parsed) -> None:
    if parsed.creates_as:
        scratch.create_without_rows(parsed)
    elif parsed.explained:  # parsing is all the check there is for the others
        with _without_traces(scratch, parsed.operation):
            scratch.execute("EXPLAIN " + _EXECUTE.sub("", text))


def _reachable(scratch: Session, options: Any) -> None:
    """Raises SqlError for a file table outside of what the job may reach."""
    if options.get("connector") == "filesystem" and options.get("path"):
        path = scratch.jvm.root.org.apache.flink.core.fs.Path(options["path"])
        scratch.call(lambda: path.getFileSystem().exists(path))


def _only_adds(scratch: Session, text: str) -> bool:
    if not scratch.streaming:
        scratch.execute(f"EXPLAIN {text}")
        return True
    plan = str(next(scratch.listing(f"EXPLAIN CHANGELOG_MODE {text}").rows)[0])
    found = _CHANGELOG.search(plan.partition("== Optimized Physical Plan ==")[2])
    return found is None or found[1] == "I"


@contextmanager
def _without_traces(session: Session, operation: Any) -> Iterator[None]:
    """Planning a batch INSERT into a file table makes the table's folder, and one for staging in it: both go again."""
    path_of = session.jvm.root.org.apache.flink.core.fs.Path
    paths = [] if session.streaming else [path_of(path) for path in _sink_paths(operation)]
    before = session.call(lambda: [(path, _missing(path), _staging(path)) for path in paths])
    try:
        yield
    finally:
        for path, missing, staging in before:
            for fresh in _staging(path) - staging:
                path.getFileSystem().delete(path_of(path, fresh), False)
            for folder in missing:
                if folder.getFileSystem().exists(folder) and not len(folder.getFileSystem().listStatus(folder)):
                    folder.getFileSystem().delete(folder, False)


def _sink_paths(operation: Any) -> Iterator[str]:
    name = str(operation.getClass().getSimpleName())
    if name == "StatementSetOperation":
        for inner in operation.getOperations():
            yield from _sink_paths(inner)
    elif name == "SinkModifyOperation":
        options = operation.getContextResolvedTable().getResolvedTable().getOptions()
        if options.get("connector") == "filesystem" and options.get("path"):
            yield str(options["path"])


def _missing(path: Any) -> list[Any]:
    """The folder and those above it that do not exist, the deepest first."""
    missing = []
    while path is not None and str(path.getPath()) and not path.getFileSystem().exists(path):
        missing.append(path)
        path = path.getParent()
    return missing


def _staging(path: Any) -> set[str]:
    files = path.getFileSystem()
    if not files.exists(path):
        return set()
    names = {str(status.getPath().getName()) for status in files.listStatus(path)}
    return {name for name in names if name.startswith(".staging_")}
