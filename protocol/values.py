"""Frozen values that services say to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from protocol.types.v1 import types_pb2


@dataclass(frozen=True, slots=True, order=True)
class Tenant:
    """Whose limits and engines: the user, and the application (creator) he works in."""

    user: str
    creator: str

    @classmethod
    def of(cls, message: types_pb2.Tenant) -> Tenant:
        return cls(message.user, message.creator)

    def message(self) -> types_pb2.Tenant:
        return types_pb2.Tenant(user=self.user, creator=self.creator)

    def __str__(self) -> str:
        return f"{self.user}-{self.creator}"


@dataclass(frozen=True, slots=True)
class Resource:
    """Cores, bytes of memory, engine instances. Added and taken part by part; `fits` compares every part."""

    cores: float = 0.0
    memory: int = 0
    instances: int = 0

    @classmethod
    def of(cls, message: types_pb2.Resource) -> Resource:
        return cls(message.cores, message.memory, message.instances)

    def message(self) -> types_pb2.Resource:
        return types_pb2.Resource(cores=self.cores, memory=self.memory, instances=self.instances)

    def __add__(self, other: Resource) -> Resource:
        return Resource(self.cores + other.cores, self.memory + other.memory, self.instances + other.instances)

    def __sub__(self, other: Resource) -> Resource:
        return Resource(self.cores - other.cores, self.memory - other.memory, self.instances - other.instances)

    def fits(self, limit: Resource) -> bool:
        """Whether no part is above the limit's."""
        return self.cores <= limit.cores and self.memory <= limit.memory and self.instances <= limit.instances


@dataclass(frozen=True, slots=True)
class Labels:
    """Routing, limit and reuse key of an engine; equal labels mean an interchangeable engine."""

    values: tuple[tuple[str, str], ...]

    @classmethod
    def make(cls, values: Mapping[str, str]) -> Labels:
        return cls(tuple(sorted(values.items())))

    @classmethod
    def of(cls, message: types_pb2.Labels) -> Labels:
        return cls.make(message.values)

    def message(self) -> types_pb2.Labels:
        return types_pb2.Labels(values=dict(self.values))

    def get(self, key: str) -> str:
        """The value, or the empty text."""
        return dict(self.values).get(key, "")

    @property
    def kind(self) -> str:
        return self.get("kind")

    @property
    def version(self) -> str:
        return self.get("version")

    def __str__(self) -> str:
        return ",".join(f"{key}={value}" for key, value in self.values)


@dataclass(frozen=True, slots=True, order=True)
class JobRef:
    """One attempt of one job: what holds an engine and what a task runs for."""

    job_id: int
    attempt: int

    def __str__(self) -> str:
        return f"{self.job_id}-{self.attempt}"
