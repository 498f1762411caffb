"""A request's resource and the nodes -> a node, or the reason why not. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from protocol.values import Resource
from services.manager.rows import Node


def place(resource: Resource, nodes: Iterable[Node], used: Mapping[str, Resource]) -> Node | str:
    """The live node with the most free memory of those with room."""
    alive = [node for node in nodes if node.alive]
    if not alive:
        return "no node is alive; is an ECM running?"
    fitting = [node for node in alive if (used.get(node.name, Resource()) + resource).fits(node.capacity)]
    if not fitting:
        return (
            f"no node has room for {resource.cores:g} cores and {resource.memory // 2**20} MiB; "
            f"{len(alive)} alive, all in use"
        )
    return max(fitting, key=lambda node: (node.capacity - used.get(node.name, Resource())).memory)
