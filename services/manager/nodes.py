"""The only writer of node status: heartbeats, and what they say of engines."""

from __future__ import annotations

import contextlib

from commons.database.connections import Database, Transaction
from commons.database.hearing import Hearing
from commons.process.clock import Clock
from commons.process.errors import HeadgateError
from protocol.jobhistory.client import Stub as JobHistory
from protocol.jobhistory.v1 import jobhistory_pb2
from protocol.manager.v1 import manager_pb2 as pb
from protocol.states.engine import EngineStatus
from protocol.states.node import NodeStatus
from protocol.values import Resource
from services.manager import engines, store
from services.manager.news import News
from services.manager.requests import Requests
from services.manager.rows import Engine, Node

SETTLED_MS = 10_000


class Nodes:
    """Takes a node's report: the rows follow what really runs there."""

    def __init__(self, db: Database, clock: Clock, requests: Requests, news: News, jobhistory: JobHistory) -> None:
        self._db = db
        self._clock = clock
        self._requests = requests
        self._news = news
        self._jobhistory = jobhistory
        self._hearing = Hearing(db, clock)

    async def report(self, report: pb.NodeReport) -> pb.NodeReportReply:
        """Record the report; the reply names engines that must stop, and engines and jobs the node may forget."""
        now = self._clock.now_ms()
        node = Node(report.node, report.ecm_address, Resource.of(report.capacity), True, now)
        reply = pb.NodeReportReply()
        async with self._db.write() as tx:
            await store.put_node(tx, node, report.incarnation)
            known = await store.engines_by_id(tx, {said.engine_id for said in report.engines})
            for said in report.engines:
                await self._said(tx, said, known.get(said.engine_id), reply)
            await self._missing(tx, report)
            await self._requests.grant_waiting(tx)
        self._news.wake()
        if report.jobs:
            with contextlib.suppress(HeadgateError):  # the next report asks again
                asked = jobhistory_pb2.WhichEndedRequest(job_ids=report.jobs)
                reply.ended_jobs.extend((await self._jobhistory.WhichEnded(asked)).job_ids)
        return reply

    async def _said(
        self, tx: Transaction, said: pb.EngineReport, row: Engine | None, reply: pb.NodeReportReply
    ) -> None:
        if said.state == pb.EngineReport.ENDED:
            await self._ended(tx, said.engine_id, said.why)
            reply.forget.append(said.engine_id)
        elif row is None or not row.wanted_alive or row.status is EngineStatus.ENDED:
            reply.stop.append(said.engine_id)
        elif said.state == pb.EngineReport.READY:
            if row.status is EngineStatus.STARTING:
                self._news.engine_changed(await engines.move(tx, self._clock, row.engine_id, EngineStatus.READY, ""))
        elif said.why != row.why:
            await engines.say(tx, row.engine_id, said.why)
            self._news.engine_changed(row)

    async def _missing(self, tx: Transaction, report: pb.NodeReport) -> None:
        """Engines the node had accepted and no longer knows of are gone; one that only started is asked for again."""
        reported = {said.engine_id for said in report.engines}
        for engine in await store.engines(tx):
            if engine.node != report.node or engine.engine_id in reported:
                continue
            # one that was accepted only just now may be missing from a report that was already on its way
            if engine.asked_at_ms is not None and self._clock.now_ms() - engine.asked_at_ms > SETTLED_MS:
                if engine.status is EngineStatus.STARTING and engine.wanted_alive:
                    await engines.ask_again(tx, engine.engine_id)
                else:
                    await self._ended(tx, engine.engine_id, "its node no longer knows of it")
            elif not engine.asked and not engine.wanted_alive:
                await self._ended(tx, engine.engine_id, "stopped before it was started")

    async def lost(self, silent_ms: int) -> None:
        """Nodes silent for longer than `silent_ms` are lost, and their engines with them.

        Silence is judged only by one who could hear for as long.
        """
        if self._hearing.ms() <= silent_ms:
            return
        now = self._clock.now_ms()
        async with self._db.write() as tx:
            silent = [n for n in await store.nodes(tx) if n.alive and now - n.heartbeat_at_ms > silent_ms]
            for node in silent:
                await store.set_node_status(tx, node.name, NodeStatus.LOST)
                for engine in await store.engines(tx):
                    if engine.node == node.name:
                        await self._ended(tx, engine.engine_id, f"its node {node.name} is silent")
            if silent:
                await self._requests.grant_waiting(tx)
        if silent:
            self._news.wake()

    async def _ended(self, tx: Transaction, engine_id: str, why: str) -> None:
        self._news.engine_changed(await engines.move(tx, self._clock, engine_id, EngineStatus.ENDED, why))
