"""What a task asks for: the program, and the options it runs with. Pure."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from commons.process.errors import Invalid
from protocol import codes

EXEC = "exec"
LONGEST_SECONDS = 10**9
MOST_PATTERNS = 100
RESERVED = "HEADGATE_"
_OPTIONS = ("environment", "folder", "timeoutSeconds", "results")
_PREFIX = "shell."
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_EXAMPLE = 'write a list of texts, such as ["ls", "-l"], or an object with such a list as argv'


@dataclass(frozen=True, slots=True)
class Request:
    """A checked request; paths are relative to the workspace and lead out of it by no `..`."""

    argv: tuple[str, ...] = ()
    """Empty when the code is a script."""
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: tuple[str, ...] = ()
    timeout_seconds: float | None = None
    results: tuple[tuple[str, ...], ...] = ()
    """Patterns of files, part by part; relative to the folder."""


def parse(run_type: str, code: str, configuration: Mapping[str, str]) -> Request:
    """The request of a task. What the code of `exec` says goes before the configuration.

    Raises Invalid (STATEMENT_INVALID) naming the field and the fix.
    """
    given = _configured(configuration)
    argv: tuple[str, ...] = ()
    if run_type == EXEC:
        own = _object(code)
        argv = _argv(own.pop("argv", None))
        given |= {name: (name, value) for name, value in own.items() if name != "environment"}
        given["environment"] = (
            "environment",
            {**_environment(*given["environment"]), **_environment("environment", own.get("environment"))},
        )
    return Request(
        argv,
        _environment(*given["environment"]),
        _folder(*given["folder"]),
        _seconds(*given["timeoutSeconds"]),
        _patterns(*given["results"]),
    )


def _configured(configuration: Mapping[str, str]) -> dict[str, tuple[str, object]]:
    """Each option, by what its user calls it, and its value; None when it is not given."""
    found: dict[str, tuple[str, object]] = {name: (_PREFIX + name, None) for name in _OPTIONS}
    environment: dict[str, object] = {}
    for key, value in configuration.items():
        name = key.removeprefix(_PREFIX)
        if name == key:
            continue
        if name.startswith("environment."):
            environment[name.removeprefix("environment.")] = value
        elif name in _OPTIONS and name != "environment":
            patterns = [part.strip() for part in value.split(",") if part.strip()]
            found[name] = (key, patterns if name == "results" else value)
        else:
            known = [_PREFIX + option for option in _OPTIONS[1:]]
            raise _unknown(key, [*known, f"{_PREFIX}environment.<NAME>"])
    found["environment"] = (f"{_PREFIX}environment", environment)
    return found


def _object(code: str) -> dict[str, object]:
    try:
        value = json.loads(code)
    except json.JSONDecodeError as error:
        what = f"the code is no JSON at line {error.lineno}, column {error.colno}: {error.msg}; {_EXAMPLE}"
        raise _invalid("code", what) from None
    except (ValueError, RecursionError):  # a number too long, a list too deep
        raise _invalid("code", f"the code is no JSON that can be read; {_EXAMPLE}") from None
    if isinstance(value, list):
        return {"argv": value}
    if not isinstance(value, dict):
        raise _invalid("code", f"the code of exec is neither a list nor an object; {_EXAMPLE}")
    known = ("argv", *_OPTIONS)
    for name in value:
        if name not in known:
            raise _unknown(name, known)
    return value


def _argv(value: object) -> tuple[str, ...]:
    texts = _texts("argv", value)
    if not texts or not texts[0]:
        raise _invalid("argv", f"argv names no program; {_EXAMPLE}")
    return texts


def _environment(name: str, value: object) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _invalid(name, f'{name} must be an object of texts, such as {{"MODE": "fast"}}')
    for variable, text in value.items():
        field = f"{name}.{variable[:60]}"
        if not _NAME.fullmatch(variable):
            raise _invalid(field, f"{field} is no name of a variable; use letters, digits and _")
        if variable.startswith(RESERVED):
            raise _invalid(field, f"{field} begins with {RESERVED}, which the service sets; choose another name")
        if not isinstance(text, str) or "\0" in text:
            raise _invalid(field, f"{field} must be a text without NUL")
    return value


def _folder(name: str, value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, str):
        raise _invalid(name, f"{name} must be a text")
    return _relative(name, value)


def _seconds(name: str, value: object) -> float | None:
    if value is None:
        return None
    try:
        seconds = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        seconds = math.nan
    if not 0 < seconds <= LONGEST_SECONDS:
        what = f"{name} must be a number of seconds above 0 and at most {LONGEST_SECONDS}, not {str(value)[:30]!r}"
        raise _invalid(name, what)
    return seconds


def _patterns(name: str, value: object) -> tuple[tuple[str, ...], ...]:
    texts = () if value is None else _texts(name, value)
    if len(texts) > MOST_PATTERNS:
        raise _invalid(name, f"{name} has over {MOST_PATTERNS} patterns; use * or ** in fewer")
    found = tuple(_relative(name, text) for text in texts)
    if () in found:
        raise _invalid(name, f"{name} has a pattern that names no file; write one such as out/*.csv")
    return found


def _texts(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(text, str) and "\0" not in text for text in value):
        raise _invalid(name, f"{name} must be a list of texts without NUL")
    return tuple(value)


def _relative(name: str, path: str) -> tuple[str, ...]:
    parts = tuple(part for part in path.split("/") if part not in ("", "."))
    if path.startswith("/") or ".." in parts or "\0" in path:
        what = f"{name} {path[:60]!r} leads out of the workspace; write it relative to the workspace, without .."
        raise _invalid(name, what)
    return parts


def _unknown(name: str, known: Iterable[str]) -> Invalid:
    names = list(known)
    near = difflib.get_close_matches(name, names, 1, 0.5)
    meant = f"do you mean {near[0]}" if near else f"there are: {', '.join(names)}"
    return _invalid(name, f"there is no option {name[:60]!r}; {meant}")


def _invalid(field: str, what: str) -> Invalid:
    return Invalid(codes.STATEMENT_INVALID, what, field=field)
