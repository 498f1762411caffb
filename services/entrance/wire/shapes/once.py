"""/linkisManager: engines of once jobs, created, looked at, asked and killed."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from services.entrance.wire.shapes.envelopes import Number, Shape
from services.entrance.wire.shapes.jobs import Labels, Submitted

Status = Literal["Starting", "Running", "Success", "Failed", "ShuttingDown"]


class Properties(Shape):
    onceExecutorContent: str = Field(min_length=1, examples=["resource_0361c8b78e1-ea12-4fa5-9637-ddc9e9a25baev000001"])
    """Which artifact holds the job, as JSON: `jobContent` with `runType` and `code`, `variable`, `runtime`, `source`.
    Other properties, and what else jobContent holds, are runtime configuration; runtime has the last word."""


class Create(Shape):
    properties: Properties
    labels: Labels
    """As of a submit; the engine is for this job alone."""


class Engine(Shape):
    applicationName: str | None = None
    """Passed over."""
    instance: str | int | None = None
    """As it was created: its job's execID; or the task id."""
    ticketId: str | int | None = None
    """As it was created: its job's task id; where there is no `instance`."""


class Operation(Engine):
    parameters: dict[str, JsonValue] | None = None
    """`__operator_name__` says what to do; what it takes stands beside it."""


class NodeOperation(Shape):
    applicationName: str | None = None
    """Passed over, as is `instance`."""
    instance: str | int | None = None
    parameters: dict[str, JsonValue] | None = None
    """`__operator_name__` is engineConnLog; `engineConnInstance` or `ticketId` of the engine; `fromLine` (from 1) and
    `pageSize`, or `lastRows`; `onlyKeywords` and `ignoreKeywords` with commas between."""


class ServiceInstance(Shape):
    registryTimestamp: Number
    mappingPorts: None
    mappingHost: None
    applicationName: str
    instance: str


class Fresh(Shape):
    managerServiceInstance: ServiceInstance
    ecAsyncStartResult: Literal["success"]
    ecmServiceInstance: ServiceInstance
    serviceInstance: ServiceInstance
    nodeStatus: Status
    ticketId: str


class Created(Submitted):
    engine: Fresh
    """To be named in later requests by its serviceInstance or its ticketId."""


class Node(Shape):
    labels: None
    nodeStatus: None
    nodeResource: None
    identifier: None
    ticketId: None
    nodeTaskInfo: None
    nodeOverLoadInfo: None
    nodeHealthyInfo: None
    updateTime: None
    nodeDescription: None
    score: float
    serviceInstance: ServiceInstance
    owner: str
    mark: Literal["process"]
    startTime: Number
    """Of the job: when it was submitted, in epoch milliseconds."""


class EngineNode(Node):
    nodeStatus: Status  # type: ignore[assignment]
    """Starting until the job runs; Success, Failed and ShuttingDown (the job was killed) are ends."""
    identifier: str | None  # type: ignore[assignment]
    """The id of the engine that has, or has had, the job."""
    ticketId: str  # type: ignore[assignment]
    lock: None
    ecMetrics: str
    """The job's metrics, as JSON."""
    emnode: Node


class Looked(Shape):
    engine: EngineNode
    ecMetrics: str


class Operated(Shape):
    result: dict[str, JsonValue]
    """Empty when it went wrong."""
    isError: bool
    errorMsg: str
    """What went wrong: `errCode: <code> ,desc: <why>`."""
