"""The options of the plug-ins we know, as SeaTunnel's own rules have them. Pure.

`options.json` is made of the plug-ins' jars: `tests/support/seatunnel_jvm.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

COMMON = frozenset(
    ("plugin_name", "result_table_name", "source_table_name", "parallelism", "factory", "schema", "datasource_id")
)
READ_TOO = {
    ("source", "LocalFile"): r"read_columns|skip_header_row_number|sheet_name|compress_codec|null_format",
    ("sink", "LocalFile"): r"tmp_path|max_rows_in_memory|batch_size|sheet_name|xml_root_tag|xml_row_tag|encoding",
    ("sink", "Jdbc"): r"table|field_ide|properties",
    ("source", "FakeSource"): r".*\.(?:min|max|template|length)",
}
"""Options that plug-ins read though their rules do not name them."""
_ABSENT = object()
_WORDS = {"string": "a text", "boolean": "true or false", "integer": "a whole number", "number": "a number",
          "list": "a list", "map": "an object"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plugin:
    """One kind of source, transform or sink, and the artifact it comes from."""

    section: str
    name: str
    jar: str
    options: Mapping[str, Mapping[str, Any]]
    rules: Mapping[str, Any]

    def faults(self, given: Mapping[str, Any]) -> list[str]:
        """What is wrong with a plug-in's options: needed ones that are missing, values of another type."""
        return [*self._missing(given), *self._mistyped(given)]

    def unknown(self, given: Mapping[str, Any]) -> list[str]:
        """Options that nobody knows of the plug-in, with those that they may mean."""
        names = {*self.options, *(also for option in self.options.values() for also in option.get("also", ()))}
        return [
            f"the option {key} is not known{_meant(key, names)}"
            for key in given
            if key not in names | COMMON
            and not re.fullmatch(READ_TOO.get((self.section, self.name), ""), key)
            and not any(name.startswith(f"{key}.") for name in names)
        ]

    def _missing(self, given: Mapping[str, Any]) -> Iterable[str]:
        for keys in self.rules.get("absolute", ()):
            yield from self._needed(keys, given, "")
        for keys in self.rules.get("exclusive", ()):
            have = [key for key in keys if self._value(key, given) is not _ABSENT]
            if len(have) != 1:
                count = "none" if not have else "more than one"
                yield f"exactly one of {', '.join(keys)} must be there, and {count} is"
        for rule in self.rules.get("conditional", ()):
            for key, value in rule["when"]:
                if _same(self._in_force(key, given), value):
                    yield from self._needed(rule["need"], given, f" when {key} is {str(value).lower()}")
                    break
        yield from self._unbundled(given)

    def _unbundled(self, given: Mapping[str, Any]) -> Iterable[str]:
        for keys in self.rules.get("bundled", ()):
            have = [key for key in keys if self._value(key, given) is not _ABSENT]
            if have and len(have) < len(keys):
                yield f"{', '.join(keys)} must be there together"

    def _needed(self, keys: Iterable[str], given: Mapping[str, Any], when: str) -> Iterable[str]:
        for key in keys:
            if self._value(key, given) is _ABSENT and "default" not in self.options[key]:
                meant = _meant_of(given, {*self.options}, key)
                yield f"the option {key} is missing{when}{meant}"

    def _mistyped(self, given: Mapping[str, Any]) -> Iterable[str]:
        for key, option in self.options.items():
            value = self._value(key, given)
            if value is _ABSENT or value is None:
                continue
            if option["type"] == "choice":
                if isinstance(value, dict | list) or str(value).lower() not in (v.lower() for v in option["values"]):
                    yield f"the option {key} must be one of {', '.join(option['values'])}"
            elif not _fits(value, option["type"]):
                yield f"the option {key} must be {_WORDS[option['type']]}"

    def _in_force(self, key: str, given: Mapping[str, Any]) -> Any:
        value = self._value(key, given)
        return self.options.get(key, {}).get("default", _ABSENT) if value is _ABSENT else value

    def _value(self, key: str, given: Mapping[str, Any]) -> Any:
        """As SeaTunnel looks: the key itself, else the way its dots lead, else the keys it had before."""
        for name in (key, *self.options.get(key, {}).get("also", ())):
            if name in given:
                return given[name]
            found: Any = given
            for part in name.split("."):
                found = found.get(part, _ABSENT) if isinstance(found, dict) else _ABSENT
            if found is not _ABSENT:
                return found
        return _ABSENT


@cache
def plugins() -> Mapping[str, Mapping[str, Plugin]]:
    """By section and name."""
    read = json.loads((Path(__file__).parent / "options.json").read_text())
    return {
        section: {
            name: Plugin(section, name, rules.pop("jar"), rules.pop("options"), rules)
            for name, rules in by_name.items()
        }
        for section, by_name in read.items()
    }


def find(section: str, name: str) -> Plugin | None:
    """SeaTunnel does not tell capitals from small letters in plug-ins' names."""
    return next((plugin for key, plugin in plugins()[section].items() if key.lower() == name.lower()), None)


def nearest(name: str, names: Iterable[str]) -> list[str]:
    """Up to three names that `name` may mean, the nearest first."""
    by_lower = {known.lower(): known for known in sorted(names)}
    return [by_lower[found] for found in get_close_matches(name.lower(), by_lower, 3, 0.5)]


def _meant(name: str, names: Iterable[str]) -> str:
    found = nearest(name, names)
    return f" (did you mean {' or '.join(found)}?)" if found else ""


def _meant_of(given: Iterable[str], known: set[str], missing: str) -> str:
    """A given option that nobody knows may be the missing one, written wrongly."""
    strangers = [key for key in given if key not in known and key not in COMMON]
    found = nearest(missing, strangers)
    return f" (there is {found[0]})" if found else ""


def _same(value: Any, expected: Any) -> bool:
    return value is not _ABSENT and str(value).lower() == str(expected).lower()


def _fits(value: Any, kind: str) -> bool:
    """Whether SeaTunnel would read the value as one of this type; it reads texts as numbers and lists."""
    match kind:
        case "string":
            return not isinstance(value, dict | list)
        case "boolean":
            return isinstance(value, bool) or (isinstance(value, str) and value.lower() in ("true", "false"))
        case "integer":
            return not isinstance(value, bool) and _reads(int, value) and float(value).is_integer()
        case "number":
            return not isinstance(value, bool) and _reads(float, value)
        case "list":
            return isinstance(value, list | str)
        case "map":
            return isinstance(value, dict | str)
    return True


def _reads(kind: type[int] | type[float], value: Any) -> bool:
    if not isinstance(value, int | float | str):
        return False
    try:
        kind(value)
    except (ValueError, OverflowError):
        return False
    return True
