"""Tells the manager everything that runs here, at once on a change and otherwise every few seconds."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket

import psutil

from commons.process.ids import random_hex
from commons.process.loops import survive
from protocol.manager.client import Stub as Manager
from protocol.manager.v1 import manager_pb2
from protocol.values import Resource
from services.ecm.engines import Engines


def node_name() -> str:
    return socket.gethostname()


def capacity() -> Resource:
    """Cores and memory of this machine."""
    return Resource(float(os.cpu_count() or 1), psutil.virtual_memory().total, 1000)


async def report_for_ever(engines: Engines, manager: Manager, address: str, every_seconds: float) -> None:
    """The node's heartbeat. A manager that does not answer is asked again; nothing is lost, the report is whole."""
    incarnation = random_hex(64)

    async def report() -> None:
        engines.changed.clear()
        reply = await manager.ReportNode(
            manager_pb2.NodeReport(
                node=node_name(),
                incarnation=incarnation,
                ecm_address=address,
                capacity=capacity().message(),
                engines=engines.report(),
                jobs=engines.tasks.jobs,
            )
        )
        for engine_id in reply.stop:
            engines.terminate(engine_id)
        for engine_id in reply.forget:
            engines.forget(engine_id)
        for job_id in reply.ended_jobs:
            engines.tasks.job_ended(job_id)

    while True:
        reported = await survive("reporting this node", report)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(every_seconds if reported else 1.0):
                await engines.changed.wait()
