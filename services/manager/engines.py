"""The only writer of engine status: what is wanted of an engine, and what has become of it."""

from __future__ import annotations

from commons.database.connections import Transaction
from commons.process.clock import Clock, to_datetime
from protocol.states.engine import ENGINE, EngineStatus
from services.manager import store

_LIVING = (EngineStatus.STARTING, EngineStatus.READY)


async def move(tx: Transaction, clock: Clock, engine_id: str, target: EngineStatus, why: str) -> bool:
    """Whether the engine became `target` now; False when it was so before or may not become so."""
    now = to_datetime(clock.now_ms())
    values: dict[str, object] = {"status": target, "why": why}
    if target is EngineStatus.ENDED:
        values["ended_at"] = now
    else:
        values["idle_since"] = now
    return await store.update_engine(tx, engine_id, ENGINE.sources(target), **values)


async def say(tx: Transaction, engine_id: str, why: str) -> None:
    """How far its start is."""
    await store.update_engine(tx, engine_id, (EngineStatus.STARTING,), why=why)


async def asked(tx: Transaction, clock: Clock, engine_id: str) -> None:
    """Its node has accepted to start it."""
    await store.update_engine(tx, engine_id, _LIVING, asked_at=to_datetime(clock.now_ms()))


async def ask_again(tx: Transaction, engine_id: str) -> None:
    """Its start was interrupted, and its node does not know of it any more."""
    values: dict[str, object] = {"asked_at": None, "why": "its start was interrupted"}
    await store.update_engine(tx, engine_id, (EngineStatus.STARTING,), **values)


async def unwant(tx: Transaction, engine_id: str) -> None:
    """It shall stop; who waits for an engine does not get it any more."""
    await store.update_engine(tx, engine_id, _LIVING, wanted="stopped")


async def free(tx: Transaction, clock: Clock, engine_id: str) -> None:
    """Nobody holds it any more."""
    now = to_datetime(clock.now_ms())
    await store.update_engine(tx, engine_id, _LIVING, job_id=None, attempt=None, idle_since=now)
