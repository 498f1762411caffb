"""A packaged Flink job, as its code says it: a JSON object, with Linkis' keys for what it lacks. Pure."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from commons.process.errors import Invalid
from protocol import codes

RUN_TYPE: Final = "jar"
JARS: Final = "headgate.jars"
"""Of a SQL job's configuration: references of jars with commas between, for the class path of its session."""
MOST_ARGUMENTS, MOST_PARALLELISM = 1000, 32_768
_CODE = "executionContent.code"
_LINKIS = {
    "artifact": "flink.app.main.class.jar",
    "entryClass": "flink.app.main.class",
    "arguments": "flink.app.args",
    "savepoint": "flink.app.savePointPath",
    "allowNonRestored": "flink.app.allowNonRestoredStatus",
}
_NAMES = (
    "artifact", "entryClass", "arguments", "parallelism", "configuration", "savepoint", "allowNonRestored", "dryRun",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class JarJob:
    """What to run, and how. An empty `entry_class` is the manifest's, a `parallelism` of 0 Flink's own."""

    artifact: str
    entry_class: str = ""
    arguments: tuple[str, ...] = ()
    parallelism: int = 0
    configuration: Mapping[str, str] = field(default_factory=dict)
    savepoint: str = ""
    """The path of the state that it goes on from."""
    allow_non_restored: bool = False
    """Whether state that no operator of the job has may be dropped."""
    dry_run: bool = False
    """Only plan it, and check the savepoint against it."""

    @classmethod
    def parse(cls, code: str, runtime: Mapping[str, str]) -> JarJob:
        """From the code and the job's runtime configuration. Raises Invalid naming the field and the fix."""
        given = {**_from_linkis(runtime), **_object(code)}
        for name in given:
            if name not in _NAMES:
                near = difflib.get_close_matches(name, _NAMES, 1, 0.5)
                hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(_NAMES)}"
                raise _invalid(name[:60], f"is unknown; {hint}")
        artifact = _text(given, "artifact")
        if not artifact:
            raise _invalid("artifact", f'must name the jar to run, such as "my-job"; or give {_LINKIS["artifact"]}')
        return cls(
            artifact,
            _text(given, "entryClass"),
            _arguments(given),
            _parallelism(given),
            _configuration(given),
            _text(given, "savepoint"),
            _flag(given, "allowNonRestored"),
            _flag(given, "dryRun"),
        )


def _object(code: str) -> dict[str, object]:
    try:
        given = json.loads(code)
    except json.JSONDecodeError as error:
        what = f"the code must be a JSON object: {error.msg} (line {error.lineno}, column {error.colno})"
        raise Invalid(codes.STATEMENT_INVALID, what, field=_CODE) from None
    except RecursionError:
        given = None
    if not isinstance(given, dict):
        what = 'the code must be a JSON object, such as {"artifact": "my-job", "arguments": ["a", "b"]}'
        raise Invalid(codes.STATEMENT_INVALID, what, field=_CODE)
    return {name: value for name, value in given.items() if value is not None}


def _from_linkis(runtime: Mapping[str, str]) -> dict[str, object]:
    found: dict[str, object] = {name: runtime[key] for name, key in _LINKIS.items() if runtime.get(key, "").strip()}
    if "arguments" in found:
        found["arguments"] = str(found["arguments"]).split()  # as Linkis does
    if "allowNonRestored" in found:
        found["allowNonRestored"] = str(found["allowNonRestored"]).strip().lower() == "true"
    return found


def _text(given: Mapping[str, object], name: str) -> str:
    value = given.get(name, "")
    if not isinstance(value, str):
        raise _invalid(name, "must be a text")
    return value.strip()


def _flag(given: Mapping[str, object], name: str) -> bool:
    value = given.get(name, False)
    if not isinstance(value, bool):
        raise _invalid(name, "must be true or false")
    return value


def _arguments(given: Mapping[str, object]) -> tuple[str, ...]:
    value = given.get("arguments", [])
    if not isinstance(value, list) or not all(_plain(item) for item in value):
        raise _invalid("arguments", 'must be a list of texts, such as ["--days", "7"]; nothing splits a text for you')
    if len(value) > MOST_ARGUMENTS:
        raise _invalid("arguments", f"has {len(value)} of them; at most {MOST_ARGUMENTS} can be given")
    return tuple(_as_text(item) for item in value)


def _parallelism(given: Mapping[str, object]) -> int:
    value = given.get("parallelism", 0)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_PARALLELISM:
        raise _invalid("parallelism", f"must be a whole number from 1 to {MOST_PARALLELISM}; 0 or none: the job's own")
    return value


def _configuration(given: Mapping[str, object]) -> Mapping[str, str]:
    value = given.get("configuration", {})
    if not isinstance(value, dict):
        raise _invalid(
            "configuration", 'must be an object of Flink\'s settings, such as {"pipeline.max-parallelism": 8}'
        )
    for key, one in value.items():
        if not _plain(one):
            raise _invalid(f"configuration.{key[:60]}", "must be a text, a number, true or false")
    return {key: _as_text(one) for key, one in value.items()}


def _plain(value: object) -> bool:
    return isinstance(value, str | int | float)


def _as_text(value: object) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _invalid(name: str, fix: str) -> Invalid:
    return Invalid(codes.STATEMENT_INVALID, f"{name} in the code {fix}", field=f"{_CODE}.{name}")
