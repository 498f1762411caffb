"""Entrance instances: their leases, and whose the unended jobs are."""

from __future__ import annotations

from commons.database.connections import Database, Transaction
from commons.database.hearing import Hearing
from commons.process.clock import Clock
from commons.process.errors import Conflict
from protocol import codes
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from services.jobhistory import store

CLAIMED_AT_ONCE = 200


class Instances:
    """An instance is lost when it has not renewed for `lease_ms`, judged only after as long a time of hearing."""

    def __init__(self, db: Database, clock: Clock, lease_ms: int) -> None:
        self._clock = clock
        self._lease_ms = lease_ms
        self._hearing = Hearing(db, clock)

    async def register(self, tx: Transaction, request: pb.RegisterInstanceRequest) -> pb.JobIds:
        """The unended jobs of the name: they belong to its new incarnation at once, with a higher epoch."""
        await store.put_instance(tx, request.instance, request.incarnation, self._clock.now_ms())
        await store.take_jobs(tx, request.instance, await store.jobs_of_instance(tx, request.instance))
        return pb.JobIds(job_ids=await store.jobs_of_instance(tx, request.instance))

    async def renew(self, tx: Transaction, request: pb.RenewInstanceRequest) -> pb.RenewInstanceReply:
        """What is new: jobs wished ended, and jobs taken over from instances that are lost. Raises Conflict."""
        now = self._clock.now_ms()
        if not await store.renew_instance(tx, request.instance, request.incarnation, now):
            raise Conflict(codes.NO_LONGER_YOURS, f"a newer incarnation of instance {request.instance} took over")
        taken: list[int] = []
        if self._hearing.ms() > self._lease_ms:
            taken = await store.jobs_of_lost_instances(tx, now - self._lease_ms, CLAIMED_AT_ONCE)
            await store.take_jobs(tx, request.instance, taken)
        return pb.RenewInstanceReply(cancelled=await store.cancelled(tx, request.instance), taken=taken)
