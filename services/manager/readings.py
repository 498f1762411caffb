"""What the rows of the manager say of now, for /metrics."""

from __future__ import annotations

from collections import Counter

from commons.database.connections import Database
from commons.process import telemetry
from commons.process.clock import Clock
from protocol.states.engine import EngineStatus
from protocol.states.node import NodeStatus
from services.manager import store, store_requests
from services.manager.placement import used
from services.manager.rows import Engine, Node

_WAITING = telemetry.reading("engine_requests_waiting", "Jobs that wait for an engine or their tenant's turn.")
_OLDEST = telemetry.reading("engine_requests_oldest_seconds", "For how long the request that waits longest has waited.")
_ENGINES = telemetry.reading("engines", "Engines: starting, busy, idle or stopping.", ("kind", "status"))
_NODES = telemetry.reading("nodes", "Nodes that report, and nodes that are lost.", ("status",))
_CORES = telemetry.reading("node_free_cores", "Cores of a live node that no engine holds.", ("node",))
_MEMORY = telemetry.reading("node_free_memory_bytes", "Memory of a live node that no engine holds.", ("node",))


async def readings(db: Database, clock: Clock) -> list[telemetry.Value]:
    """Requests, engines and nodes as they are now."""
    async with db.read() as tx:
        waiting, oldest_ms = await store_requests.waiting(tx)
        engines, nodes = await store.engines(tx), await store.nodes(tx)
    waited = 0.0 if oldest_ms is None else max(0, clock.now_ms() - oldest_ms) / 1000
    return [(_WAITING, (), waiting), (_OLDEST, (), waited), *_of_engines(engines), *_of_nodes(nodes, engines)]


def _of_engines(engines: list[Engine]) -> list[telemetry.Value]:
    found = Counter((engine.labels.kind, _status(engine)) for engine in engines)
    return [(_ENGINES, key, count) for key, count in found.items()]


def _status(engine: Engine) -> str:
    if not engine.wanted_alive:
        return "stopping"
    if engine.status is EngineStatus.STARTING:
        return "starting"
    return "idle" if engine.idle else "busy"


def _of_nodes(nodes: list[Node], engines: list[Engine]) -> list[telemetry.Value]:
    alive, taken = [node for node in nodes if node.alive], used(engines)
    values: list[telemetry.Value] = [
        (_NODES, (NodeStatus.ALIVE,), len(alive)),
        (_NODES, (NodeStatus.LOST,), len(nodes) - len(alive)),
    ]
    for node in alive:
        free = node.capacity - taken[node.name]
        values += [(_CORES, (node.name,), free.cores), (_MEMORY, (node.name,), free.memory)]
    return values
