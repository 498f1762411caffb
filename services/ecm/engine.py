"""One engine connection, as this node's daemon holds it in memory."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from commons.process import telemetry
from protocol.ecm.v1 import ecm_pb2 as pb
from services.ecm.ledger import EngineEntry


@dataclass(slots=True)
class Engine:
    """`entry` is what the ledger keeps."""

    entry: EngineEntry
    life: asyncio.Task[None] | None = None
    detail: str = ""
    usage: pb.ResourceUsage = field(default_factory=pb.ResourceUsage)
    terminating: asyncio.Task[None] | None = None
    launch: telemetry.Step = telemetry.NO_STEP
    """From its spawn until it is ready or has ended."""
    silent: int = 0
    """Looks since it last told what it uses."""
    handing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a task is handed over."""
