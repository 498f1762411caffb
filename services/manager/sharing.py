"""Whose turn it is: the order in which waiting requests are tried. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from protocol.values import Tenant
from services.manager.rows import Request


def turns(waiting: Iterable[Request], running: Mapping[Tenant, int]) -> Sequence[Request]:
    """Oldest first within a tenant; between tenants, the one with the fewest running jobs first."""
    queues: dict[Tenant, list[Request]] = defaultdict(list)
    for request in sorted(waiting, key=lambda request: (request.created_at_ms, request.job)):
        queues[request.tenant].append(request)
    order: list[tuple[int, int, Request]] = []
    for tenant, queue in queues.items():
        start = running.get(tenant, 0)
        order += [(start + place, request.created_at_ms, request) for place, request in enumerate(queue)]
    return [request for _, _, request in sorted(order, key=lambda item: (item[0], item[1], item[2].job))]
