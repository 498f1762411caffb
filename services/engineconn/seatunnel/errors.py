"""The root cause of SeaTunnel's errors, out of its replies, stack traces and logs. Pure."""

from __future__ import annotations

import re

LONGEST = 900
_CLASS = re.compile(r"^(?:[a-z_][\w$]*\.)+([A-Z][\w$]*)(?:: |$)")
_CODE = re.compile(r"ErrorCode:\[([^\]]*)\], ErrorDescription:\[([^\]]*)\](?: - )?")
_SUBMIT = re.compile(r"An error occurred while handling request HttpCommand .*?submit-job")
_NEXT = re.compile(r"(?:\[[^\]]*\] )?\d{4}-\d\d-\d\d ")
_PLAIN = frozenset(
    ("SQLException", "SQLSyntaxErrorException", "SeaTunnelException", "SeaTunnelRuntimeException", "RuntimeException",
     "IllegalArgumentException", "CatalogException", "FactoryException", "JobException", "TransformException",
     "ConfigRuntimeException", "OptionValidationException", "SeaTunnelEngineException", "JobDefineCheckException",
     "ConnectException")
)  # fmt: skip
"""Exceptions whose names add nothing to their words."""
_CLASS_PATH = ("ClassNotFoundException", "NoClassDefFoundError")
_DATABASE_AWAY = "CommunicationsException"


def root(trace: str) -> str:
    """A stack trace, or a message, in one line: what failed, and the last cause of it."""
    lines = [line.strip() for line in trace.strip().splitlines()]
    first = next((line for line in lines if line and not line.startswith("at ")), "")
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
    told = [words(first), *([_better(causes)] if causes else [])]
    if len(told) == 2 and (told[1] in told[0] or not told[0]):
        told = told[-1:] if not told[0] else told[:1]
    return ": ".join([*(part.removesuffix(".") for part in told[:-1]), told[-1]])[:LONGEST]


def from_log(log: str, reply: str) -> str:
    """Why a submit was refused: the reply's words, and the cause that only the server's log tells."""
    return root(trace(log)) or root(reply)


def trace(log: str) -> str:
    """The stack trace of the last submit that failed, empty when there is none."""
    begins = [match.start() for match in _SUBMIT.finditer(log)]
    lines = log[begins[-1] :].splitlines()[1:] if begins else []
    end = next((number for number, line in enumerate(lines) if _NEXT.match(line)), len(lines))
    return "\n".join(lines[:end])


def words(line: str) -> str:
    """An exception's words, without what only programmers read."""
    name = ""
    while match := _CLASS.match(line):
        name, line = match[1], line[match.end() :]
        if not line:
            return name
    coded = _CODE.search(line)
    text = _CODE.sub("", line).strip() or (f"{coded[2]} ({coded[1]})" if coded else "")
    return f"{name}: {text}" if name and name not in _PLAIN and not coded else text


def _better(causes: list[str]) -> str:
    """The last cause; of a database that is away, what the driver says of it rather than what the socket does."""
    last = words(causes[-1])
    away = [cause for cause in causes if _DATABASE_AWAY in cause]
    if away and "Connection refused" in last:
        return f"the database does not answer: {last}"
    if any(name in causes[-1] for name in _CLASS_PATH):
        return f"a class is missing, and with it a jar: {last}"
    return last
