"""A job's text, HOCON or JSON, as the JSON that SeaTunnel's own parser would make of it. Pure.

The grammar is a library's; what SeaTunnel changed in it is in `syntax`. Environment variables and other files are out
of reach: a job's text says all there is to say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

import hocon

from services.engineconn.seatunnel.syntax import SECTIONS, SyntaxFault, plain, plugin

# SeaTunnel fills these in for each table
TABLE_PLACEHOLDERS = frozenset(
    ("database_name", "schema_name", "schema_full_name", "table_name", "table_full_name", "primary_key", "unique_key",
     "field_names")
)  # fmt: skip
_PLACEHOLDER = re.compile(r"\$\{([^${}:\s]+)(?::([^${}]*))?\}")
_TOO_DEEP = "the text is nested too deeply"


def parse(text: str, variables: Mapping[str, str]) -> dict[str, Any]:
    """The job's configuration; `${name}` is its variables' value, within quoted text too. Raises SyntaxFault."""
    try:
        read = _json(text)
        if read is None:
            read = _hocon(text, variables)
        for section in SECTIONS:
            if read.get(section) == {}:
                read[section] = []
        filled = _filled(read, variables)
    except RecursionError:
        raise SyntaxFault(_TOO_DEEP, 1, 1) from None
    assert isinstance(filled, dict)
    return filled


def _json(text: str) -> dict[str, Any] | None:
    """What the text says as JSON, None when it is none. Raises SyntaxFault for a key that comes twice."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        read = json.loads(text, object_pairs_hook=_object, parse_constant=_not_json)
    except ValueError:
        return None
    return read if isinstance(read, dict) else None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise SyntaxFault(f"{twice!r} comes twice in one object", 1, 1)
    return made


def _not_json(constant: str) -> NoReturn:
    raise ValueError(constant)


def _hocon(text: str, variables: Mapping[str, str]) -> dict[str, Any]:
    written = plain(text)
    try:
        parsed = hocon.parse(written.text, env=dict(variables), read_file=_no_file).to_object()
    except hocon.ResolveError as error:
        raise SyntaxFault(_resolving(error), *written.place(error.line, error.col)) from None
    except hocon.ParseError as error:
        raise SyntaxFault(str(error), *written.place(error.line, error.col)) from None
    except hocon.ConfigError as error:
        raise SyntaxFault(str(error), 1, 1) from None
    read = _lists(parsed)
    assert isinstance(read, dict)
    return read


def _no_file(*_: object) -> NoReturn:
    raise OSError("include is not available here")


def _resolving(error: hocon.ResolveError) -> str:
    if "could not resolve" in str(error):
        name = error.path.replace('"', "")
        return f"${{{name}}} has no value: give the job a variable of this name, or write ${{?{name}}}"
    return str(error)


def _lists(value: Any) -> Any:
    """Plug-ins by their own keys become lists of plug-ins."""
    if isinstance(value, list):
        return [_lists(item) for item in value]
    if not isinstance(value, dict):
        return value
    named = {key: found for key in value if (found := plugin(key)) is not None}
    if not named:
        return {key: _lists(item) for key, item in value.items()}
    last = max(section for section, _ in named.values())  # a section that is written twice counts as written last
    return [_plugin(name, _lists(value[key])) for key, (section, name) in named.items() if section == last]


def _plugin(name: str, value: Any) -> Any:
    return {"plugin_name": name, **value} if isinstance(value, dict) else value


def _filled(value: Any, variables: Mapping[str, str]) -> Any:
    """With variables in quoted text; `${name:default}` without a variable is its default, `${name}` stays."""
    if isinstance(value, dict):
        return {key: _filled(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, variables) for item in value]
    return _PLACEHOLDER.sub(lambda found: _value(found, variables), value) if isinstance(value, str) else value


def _value(found: re.Match[str], variables: Mapping[str, str]) -> str:
    name, default = found[1], found[2]
    if name in TABLE_PLACEHOLDERS:
        return found[0]
    return variables.get(name, found[0] if default is None else default)
