"""What a form of deployment offers: a cluster that answers REST, with slots, beside the JVM that plans SQL for it."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from protocol.flink.deployment import Deployment
from services.engineconn.engine import EngineSpec
from services.engineconn.flink import launch
from services.engineconn.flink.files import Files
from services.engineconn.flink.jvm import Jvm
from services.engineconn.flink.process import Process

Blocking = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Has a call made in the thread that alone speaks with the JVM."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What a cluster is made of. Jobs reach files in `folders`; `tell` is told what becomes of the processes."""

    spec: EngineSpec
    files: Files
    workdir: Path
    state: Path
    """For checkpoints and savepoints: it outlives the engine."""
    folders: Sequence[Path]
    rest_port: int
    tell: Callable[[str], None]

    @property
    def deployment(self) -> Deployment:
        return Deployment.from_labels(self.spec.labels)


class Cluster(Protocol):
    """Started once, closed once."""

    slots: int
    target: Mapping[str, str]
    """Settings with which a SQL session sends its jobs there."""
    processes: Sequence[Process]
    """Its own ones."""
    lost: Sequence[str]
    """Why jobs were lost that ran, each time: the cluster itself came back."""
    started: float
    """When what answers REST was started last, in monotonic time."""

    async def start(self, jvm: Jvm, blocking: Blocking) -> None:
        """Begin to start; it is there once REST tells of its slots. Gives the JVM its client. Raises OSError."""

    async def gone(self) -> str:
        """Return, with the reason, when it is gone beyond repair."""

    def revive(self) -> bool:
        """Begin anew, since REST is silent; whether that can be done."""

    async def close(self) -> None:
        """Stop what was started."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((launch.HOST, 0))
        return int(probe.getsockname()[1])
