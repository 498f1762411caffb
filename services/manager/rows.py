"""The manager's rows as frozen values, the form in which the pure modules see them."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.states.engine import EngineStatus
from protocol.values import JobRef, Labels, Resource, Tenant


@dataclass(frozen=True, slots=True)
class Node:
    name: str
    ecm_address: str
    capacity: Resource
    alive: bool
    heartbeat_at_ms: int


@dataclass(frozen=True, slots=True)
class Engine:
    engine_id: str
    node: str
    tenant: Tenant
    labels: Labels
    resource: Resource
    status: EngineStatus
    wanted_alive: bool
    asked_at_ms: int | None
    """When its node accepted to start it."""
    holder: JobRef | None
    why: str
    created_at_ms: int
    idle_since_ms: int | None
    traceparent: str = ""

    @property
    def asked(self) -> bool:
        return self.asked_at_ms is not None

    @property
    def idle(self) -> bool:
        """Whether a request may take it."""
        return self.status is EngineStatus.READY and self.wanted_alive and self.holder is None


@dataclass(frozen=True, slots=True)
class Request:
    job: JobRef
    instance: str
    tenant: Tenant
    labels: Labels
    state: str
    engine_id: str
    why: str
    created_at_ms: int
    changed_at_ms: int
    traceparent: str = ""


WAITING, GRANTED, RELEASED = "WAITING", "GRANTED", "RELEASED"


@dataclass(frozen=True, slots=True)
class Queue:
    """A tenant's waiting requests with equal labels: what keeps one of them waiting keeps all."""

    tenant: Tenant
    labels: Labels
    oldest: tuple[int, int]
    """When the first of them was made (epoch ms), and its job: whose is smaller is older."""
    whys: frozenset[str]
    """What they have been told; one text as a rule."""
