"""The REST reference, docs/rest.md: what the OpenAPI document says, as a page to read, and every error code."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from protocol import codes
from services.entrance.api.app import PREFIX, door
from services.entrance.api.declared import FAILURES

FILE = Path(__file__).parent.parent.parent / "docs" / "rest.md"
_USUAL = {"200", "400", "401", "413", "415", "503"}
_NUMBERS = {"integer": "whole number", "number": "number", "boolean": "true or false", "string": "text", "null": "null"}
_WIDE = 2**53
_MANY = 12
"""Shapes with more fields than this have a place of their own in the page."""
_Json = Mapping[str, Any]


def markdown() -> str:
    """The whole page."""
    document = door().openapi()
    lines = [
        "# REST reference",
        "",
        "Written by `make docs` from `/openapi.json`.",
        "",
        document["info"]["description"],
        "",
    ]
    lines += [
        "Paths stand here without the prefix. In tables, a field marked with * must be there; `a.b` is the field `b`"
    ]
    lines += ["of the object `a`, `a[]` an item of the list `a`. HTTP statuses that are usual:", ""]
    lines += [f"- {code}: {meaning}" for code, meaning in FAILURES.items() if str(code) in _USUAL]
    for tag in document["tags"]:
        lines += ["", f"## {tag['name']}", "", tag["description"]]
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if operation["tags"] == [tag["name"]]:
                    lines += [
                        "",
                        f"### {method.upper()} {path.removeprefix(PREFIX)}",
                        "",
                        *_operation(operation, document),
                    ]
    return "\n".join([*lines, "", *_shapes(document), "", *_codes(), ""])


def _operation(operation: _Json, document: _Json) -> Iterator[str]:
    yield operation["description"]
    if rows := [_parameter(parameter) for parameter in operation.get("parameters", [])]:
        yield from _table(("parameter", "in", "type", "default", "meaning"), rows)
    for kind, content in operation.get("requestBody", {"content": {}})["content"].items():
        shapes = content["schema"].get("anyOf", [content["schema"]])
        for number, shape in enumerate(shapes):
            which = "Or" if number else f"Body, {kind}{', which may lack' * (not operation['requestBody']['required'])}"
            yield from ("", f"{which}:", *_table(("field", "type", "meaning"), _fields(shape, document, "")))
    for kind, content in operation["responses"]["200"]["content"].items():
        shape = _open(content["schema"], document)
        if kind != "application/json":
            yield from ("", f"Answer: {kind}.")
        elif rows := _fields(shape["properties"].get("data", shape), document, ""):
            yield from ("", "Answer:", *_table(("field", "type", "meaning"), rows))
    yield from ("", f"HTTP {', '.join(_status(code, answer) for code, answer in operation['responses'].items())}.")


def _status(code: str, answer: _Json) -> str:
    why = answer["description"].rstrip(".")
    return code if code in _USUAL else f"{code} ({why[:1].lower()}{why[1:]})"


def _parameter(parameter: _Json) -> tuple[str, ...]:
    shape = parameter["schema"]
    default = shape.get("default")
    shown = "" if default in (None, "", _WIDE) else f"`{default}`"
    name = parameter["name"] + "*" * parameter["required"]
    return name, parameter["in"], _type(shape, {}), shown, parameter["description"]


def _fields(shape: _Json, document: _Json, within: str) -> list[tuple[str, ...]]:
    """A row for each field, and below it for the fields of what it holds."""
    shape = _open(shape, document)
    rows: list[tuple[str, ...]] = []
    for name, field in shape.get("properties", {}).items():
        opened, required = _open(field, document), name in shape.get("required", [])
        rows.append((f"{within}{name}{'*' * required}", _type(opened, document), field.get("description", "")))
        for each in opened.get("anyOf", [opened]):
            inner = _open(each, document)
            dots = "[]." if inner.get("type") == "array" else "."
            inner = _open(inner.get("items", inner), document)
            rows += [] if _is_large(inner) else _fields(inner, document, f"{within}{name}{dots}")
    return rows


def _open(shape: _Json, document: _Json) -> _Json:
    if "$ref" not in shape:
        return shape
    found: _Json = document["components"]["schemas"][shape["$ref"].rpartition("/")[2]]
    return {**found, **shape}


def _type(shape: _Json, document: _Json) -> str:
    shape = _open(shape, document) if document else shape
    if "anyOf" in shape:
        return " or ".join(dict.fromkeys(_type(each, document) for each in shape["anyOf"]))
    if "enum" in shape or "const" in shape:
        return ", ".join(f"`{value}`" for value in shape.get("enum", [shape.get("const")]))
    match shape.get("type"):
        case "array":
            return f"list of {_type(shape['items'], document)}"
        case "object":
            return f"[{shape['title']}](#{shape['title'].lower()})" if _is_large(shape) else "object"
        case None:
            return "anything"
        case kind:
            return _NUMBERS[kind] + _bounds(shape)


def _bounds(shape: _Json) -> str:
    low, high = shape.get("minimum", shape.get("minLength")), shape.get("maximum", shape.get("maxLength"))
    unit = " characters" if "maxLength" in shape else ""
    if high is None or high >= _WIDE:
        return ""
    return f", {low:.15g} to {high:.15g}{unit}" if low is not None and -high < low else f", at most {high:.15g}{unit}"


def _is_large(shape: _Json) -> bool:
    return len(shape.get("properties", {})) > _MANY and "title" in shape


def _shapes(document: _Json) -> Iterator[str]:
    yield "## Shapes"
    for name, shape in document["components"]["schemas"].items():
        if _is_large(shape):
            yield from ("", f"### {name}", *_table(("field", "type", "meaning"), _fields(shape, document, "")))


def _codes() -> Iterator[str]:
    yield "## Error codes"
    yield from (
        "",
        "Where a code is met: as an answer's HTTP status; as how a job ended (`errCode` in the history); or at start.",
    )
    yield from _table(("code", "where", "meaning"), [(str(code), where, what) for code, where, what in meanings()])


def meanings() -> list[tuple[int, str, str]]:
    """Each code, where it is met, and what it means, as protocol/codes.py says it below each.

    Raises KeyError where it does not.
    """
    body = ast.parse(Path(codes.__file__).read_text()).body
    texts: dict[str, str] = {}
    for before, after in pairwise(body):
        if isinstance(before, ast.AnnAssign) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            texts[ast.unparse(before.target)] = str(after.value.value)
    named = {name: value for name, value in vars(codes).items() if name.isupper() and isinstance(value, int)}
    return [
        (code, where, what.strip()) for name, code in named.items() for where, _, what in [texts[name].partition(":")]
    ]


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    yield ""
    for row in (head, tuple("---" for _ in head), *rows):
        cells = (" ".join(cell.split()).replace("|", r"\|") for cell in row)
        yield f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    FILE.write_text(markdown())
