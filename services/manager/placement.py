"""A request's resource, the nodes and their engines -> a node, or the reason why not and who could make room. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from protocol.values import Resource
from services.manager.rows import Engine, Node


def used(engines: Iterable[Engine]) -> Mapping[str, Resource]:
    """What these engines hold on each node."""
    sums: dict[str, Resource] = defaultdict(Resource)
    for engine in engines:
        sums[engine.node] += engine.resource
    return sums


def place(resource: Resource, nodes: Iterable[Node], engines: Collection[Engine]) -> Node | str:
    """The live node with the most free memory of those with room."""
    alive = [node for node in nodes if node.alive]
    if not alive:
        return "no node is alive; is an ECM running?"
    taken = used(engines)
    fitting = [node for node in alive if (taken[node.name] + resource).fits(node.capacity)]
    if not fitting:
        return (
            f"no node has room for {resource.cores:g} cores and {resource.memory // 2**20} MiB; "
            f"{len(alive)} alive, all in use"
        )
    return max(fitting, key=lambda node: (node.capacity - taken[node.name]).memory)


def make_room(resource: Resource, nodes: Iterable[Node], engines: Collection[Engine]) -> Sequence[Engine]:
    """The fewest idle engines, idle for longest, whose stop lets the resource fit on one node.

    Engines that are stopping already count as gone; so nobody is named when waiting for them is enough, nor when not
    even all idle ones are.
    """
    staying = [engine for engine in engines if engine.wanted_alive]
    if not isinstance(place(resource, nodes, staying), str):
        return ()
    best: Sequence[Engine] = ()
    for node in (node for node in nodes if node.alive):
        idle = sorted((e for e in staying if e.idle and e.node == node.name), key=lambda e: e.idle_since_ms or 0)
        for count in range(1, len(idle) + 1):
            rest = [engine for engine in staying if engine not in idle[:count]]
            if not isinstance(place(resource, [node], rest), str):
                if not best or count < len(best):
                    best = idle[:count]
                break
    return best
