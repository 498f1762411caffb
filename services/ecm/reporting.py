"""Tells the manager everything that runs here, at once on a change and otherwise every few seconds."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket

import psutil

from commons.process.errors import HeadgateError
from commons.process.ids import random_hex
from protocol.manager.client import Stub as Manager
from protocol.manager.v1 import manager_pb2
from protocol.values import Resource
from services.ecm.engines import Engines

log = logging.getLogger(__name__)


def node_name() -> str:
    return socket.gethostname()


def capacity() -> Resource:
    """Cores and memory of this machine."""
    return Resource(float(os.cpu_count() or 1), psutil.virtual_memory().total, 1000)


async def report_for_ever(engines: Engines, manager: Manager, address: str, every_seconds: float) -> None:
    """The node's heartbeat. A manager that does not answer is asked again; nothing is lost, the report is whole."""
    incarnation = random_hex(64)
    reachable = True
    while True:
        engines.changed.clear()
        report = manager_pb2.NodeReport(
            node=node_name(),
            incarnation=incarnation,
            ecm_address=address,
            capacity=capacity().message(),
            engines=engines.report(),
        )
        try:
            reply = await manager.ReportNode(report)
            reachable = True
        except HeadgateError as error:
            if reachable:
                log.warning("the manager does not take this node's report: %s", error)
            reachable = False
        else:
            for engine_id in reply.stop:
                engines.terminate(engine_id)
            for engine_id in reply.forget:
                engines.forget(engine_id)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(engines.changed.wait(), every_seconds if reachable else 1.0)
