"""Who waits is served: what there is goes to the queues in turn, and only what can be granted is read."""

from __future__ import annotations

from dataclasses import replace

from commons.database.connections import Transaction
from protocol.values import Labels, Tenant
from services.manager import store_requests
from services.manager.granting import Granting
from services.manager.rows import Queue, Request
from services.manager.sharing import next_turn

AT_ONCE = 50
"""So many requests of a queue are read at once, at most."""


class Serving:
    """Serves all queues until each is empty or must wait; then `granted` and `waiting` say what has come of it."""

    def __init__(self, tx: Transaction, granting: Granting) -> None:
        self._tx, self._granting = tx, granting
        self.granted: list[Request] = []
        self.waiting: list[tuple[Queue, str]] = []
        """The queues that are left, and why they wait."""

    async def serve(self, queues: list[Queue]) -> None:
        """What keeps the first request of a queue waiting keeps all of it, so that nobody further back is tried."""
        left = {(queue.tenant, queue.labels): queue for queue in queues}
        read: dict[tuple[Tenant, Labels], list[Request]] = {}
        while left:
            queue = next_turn(left.values(), self._granting.running())
            key = queue.tenant, queue.labels
            found = self._granting.find(*key)
            if isinstance(found, str):
                self.waiting.append((queue, found))
                del left[key]
                continue
            requests = read.get(key) or await self._read(queue)
            if not requests:
                del left[key]
                continue
            self.granted.append(self._granting.grant(requests[0], found))
            read[key] = requests[1:]
            if read[key]:
                left[key] = replace(queue, oldest=(read[key][0].created_at_ms, read[key][0].job.job_id))

    async def _read(self, queue: Queue) -> list[Request]:
        """The next requests of the queue: as many as its tenant may have running, and one that is told why it waits."""
        served = sum((request.tenant, request.labels) == (queue.tenant, queue.labels) for request in self.granted)
        places = min(self._granting.places(queue.tenant), AT_ONCE)
        return await store_requests.heads(self._tx, queue, served, places + 1)
