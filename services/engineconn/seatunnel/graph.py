"""How a job's plug-ins hang together by the names of what they give and take. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from services.engineconn.seatunnel.options import nearest

OUTPUT, INPUT = "result_table_name", "source_table_name"


@dataclass(frozen=True, slots=True)
class Node:
    """One plug-in of a job; `title` is what users read."""

    section: str
    title: str
    output: str | None
    inputs: tuple[str, ...]


def nodes(config: Mapping[str, Any]) -> list[Node]:
    """A job's plug-ins in their order."""
    return [
        Node(section, title(section, number, options), _output(options), _inputs(options))
        for section in ("source", "transform", "sink")
        for number, options in enumerate(config.get(section) or (), 1)
    ]


def title(section: str, number: int, options: Mapping[str, Any]) -> str:
    return f"{section} {number} ({options.get('plugin_name', 'without a plugin_name')})"


def faults(found: Sequence[Node]) -> list[str]:
    """Names that are missing, unknown, unused or given twice, and plug-ins that feed themselves."""
    if is_simple(found):
        return []
    return [*_nameless(found), *_twice(found), *_unknown(found), *_unused(found), *_cycles(found)]


def doubts(found: Sequence[Node]) -> list[str]:
    """What SeaTunnel takes, and may be meant otherwise."""
    if is_simple(found):
        return [
            f"{after.title} reads {', '.join(after.inputs)}, which nobody gives: it gets what {before.title} gives, "
            "since there is nothing else"
            for before, after in pairwise(found)
            if after.inputs and before.output not in after.inputs
        ]
    readers = Counter(name for node in found for name in node.inputs)
    joined = {name for node in found if len(node.inputs) > 1 for name in node.inputs}
    return [
        f"{node.title} is read once for each plug-in that takes {node.output}, since one of them takes others as well"
        for node in found
        if node.output in joined and readers[node.output] > 1
    ]


def is_simple(found: Sequence[Node]) -> bool:
    """One source, one sink and at most one transform between them: SeaTunnel goes without names."""
    count = Counter(node.section for node in found)
    return count["source"] == 1 and count["sink"] == 1 and count["transform"] <= 1


def _nameless(found: Sequence[Node]) -> Iterator[str]:
    for node in found:
        if node.section != "sink" and node.output is None:
            yield f"{node.title} needs a {OUTPUT}, since there are several plug-ins"
        if node.section != "source" and not node.inputs:
            yield f"{node.title} needs a {INPUT}, since there are several plug-ins"


def _twice(found: Sequence[Node]) -> Iterator[str]:
    first: dict[str, Node] = {}
    for node in found:
        if node.output is None:
            continue
        if node.output in first:
            yield f"{first[node.output].title} and {node.title} have the same {OUTPUT} {node.output}"
        first.setdefault(node.output, node)


def _unknown(found: Sequence[Node]) -> Iterator[str]:
    names = {node.output for node in found if node.section != "sink" and node.output is not None}
    for node in found:
        for name in node.inputs:
            if name not in names:
                near = nearest(name, names) or sorted(names)
                yield f"{node.title} reads {name}, which no source or transform gives; there is {', '.join(near)}"


def _unused(found: Sequence[Node]) -> Iterator[str]:
    read = {name for node in found for name in node.inputs}
    for node in found:
        if node.section != "sink" and node.output is not None and node.output not in read:
            yield f"nobody reads {node.output}, which {node.title} gives"


def _cycles(found: Sequence[Node]) -> Iterator[str]:
    makes = {node.output: node for node in found if node.section == "transform" and node.output is not None}
    done: set[str] = set()
    for start in makes:
        way: list[str] = []
        at: str | None = start
        # a way back to itself is found by going up any one input at a time, from every transform
        pending = [(start, [start])]
        while pending and start not in done:
            at, way = pending.pop()
            for name in makes[at].inputs:
                if name == start:
                    done.update(way)
                    yield f"{makes[start].title} feeds itself: {' <- '.join([*way, start])}"
                    pending.clear()
                    break
                if name in makes and name not in way:
                    pending.append((name, [*way, name]))


def _output(options: Mapping[str, Any]) -> str | None:
    value = options.get(OUTPUT)
    return None if value is None else str(value)


def _inputs(options: Mapping[str, Any]) -> tuple[str, ...]:
    """A list, or names with commas between them."""
    value = options.get(INPUT)
    if value is None:
        return ()
    names = value if isinstance(value, list) else str(value).split(",")
    return tuple(str(name).strip() for name in names)
