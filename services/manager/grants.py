"""Where requests stand, as entrances are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from commons.database.connections import Transaction
from protocol.manager.v1 import manager_pb2 as pb
from protocol.states.engine import EngineStatus
from services.manager import store
from services.manager.rows import RELEASED, WAITING, Engine, Node, Request

There = tuple[Sequence[Node], Mapping[str, Engine]]
"""All nodes, and engines by id: at least those that have not ended."""


async def grants(tx: Transaction, requests: Sequence[Request], there: There | None = None) -> list[pb.EngineGrant]:
    """Where each of these requests stands now; `there`, when it has been read already."""
    nodes, living = there or await store.nodes_and_engines(tx)
    ended = {request.engine_id for request in requests if request.engine_id and request.engine_id not in living}
    engines = {**living, **await store.engines_by_id(tx, ended)} if ended else living
    addresses = {node.name: node.ecm_address for node in nodes}
    return [_grant(request, engines.get(request.engine_id), addresses) for request in requests]


def _grant(request: Request, engine: Engine | None, addresses: dict[str, str]) -> pb.EngineGrant:
    grant = pb.EngineGrant(job_id=request.job.job_id, attempt=request.job.attempt, why=request.why)
    if request.state == RELEASED:
        grant.state = pb.EngineGrant.RELEASED
    elif request.state == WAITING:
        grant.state = pb.EngineGrant.WAITING
    elif engine is None:
        grant.state, grant.why = pb.EngineGrant.LOST, "the engine is no longer known"
    else:
        lost = engine.status is EngineStatus.ENDED or not engine.wanted_alive
        ready = pb.EngineGrant.READY if engine.status is EngineStatus.READY else pb.EngineGrant.GRANTED
        grant.state = pb.EngineGrant.LOST if lost else ready
        grant.engine_id, grant.node, grant.why = engine.engine_id, engine.node, engine.why
        grant.was_ready = engine.idle_since_ms is not None
        grant.ecm_address = addresses.get(engine.node, "")
    return grant
