"""The only writer of engine status: what is wanted of an engine, and what has become of it."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from commons.database.connections import Transaction
from commons.database.marks import after_commit
from commons.process import telemetry
from commons.process.clock import Clock, to_datetime
from protocol.states.engine import ENGINE, EngineStatus
from protocol.values import JobRef
from services.manager import store
from services.manager.rows import Engine

_LIVING = (EngineStatus.STARTING, EngineStatus.READY)

_STARTS = telemetry.histogram(
    "engine_start_seconds",
    "Engines from the decision to start one until it was ready, had failed, or was stopped before.",
    ("kind", "outcome"),
    buckets=telemetry.JOB_SECONDS,
)
_ENDED = telemetry.counter("engines_ended", "Engines that are gone: stopped as wished, or failed.", ("kind", "outcome"))
_UNWANTED = telemetry.counter(
    "engine_stops",
    "Engines told to stop: idle for too long, idle and in the way of others (room), not to be used again (spoiled).",
    ("reason",),
)


async def move(tx: Transaction, clock: Clock, engine_id: str, target: EngineStatus, why: str) -> Engine | None:
    """The engine as it was before it became `target` now; None when it was so already or may not become so."""
    now = to_datetime(clock.now_ms())
    values: dict[str, object] = {"status": target, "why": why}
    if target is EngineStatus.ENDED:
        values["ended_at"] = now
    else:
        values["idle_since"] = now
    engine = (await store.engines_by_id(tx, [engine_id])).get(engine_id)
    if engine is None or not await store.update_engine(tx, engine_id, ENGINE.sources(target), **values):
        return None
    _count(engine, target, clock.now_ms())
    return engine


def _count(engine: Engine, target: EngineStatus, now_ms: int) -> None:
    kind, ended = engine.labels.kind, "failed" if engine.wanted_alive else "stopped"
    if engine.status is EngineStatus.STARTING:
        outcome = "ready" if target is EngineStatus.READY else ended
        after_commit(partial(_STARTS.labels(kind, outcome).observe, (now_ms - engine.created_at_ms) / 1000))
    if target is EngineStatus.ENDED:
        after_commit(_ENDED.labels(kind, ended).inc)


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


async def unwant(tx: Transaction, engine_id: str, reason: str) -> None:
    """It shall stop; who waits for an engine does not get it any more. `reason`: idle or room."""
    if await store.update_engine(tx, engine_id, _LIVING, wanted="stopped"):
        after_commit(_UNWANTED.labels(reason).inc)


async def free(tx: Transaction, clock: Clock, jobs: Collection[JobRef], *, spoiled: bool) -> None:
    """Nobody holds any more what these jobs held; spoiled engines shall stop."""
    values: dict[str, object] = {"job_id": None, "attempt": None, "idle_since": to_datetime(clock.now_ms())}
    if spoiled:
        values["wanted"] = "stopped"
    freed = await store.update_held_engines(tx, jobs, _LIVING, **values)
    if spoiled:
        after_commit(partial(_UNWANTED.labels("spoiled").inc, freed))
