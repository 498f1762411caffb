"""/entrance: jobs submitted, watched and killed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from protocol.states.job import JobStatus
from services.entrance.wire import logs
from services.entrance.wire.jobs import LONGEST_SECONDS
from services.entrance.wire.shapes.envelopes import Flag, Number, Shape, may_lack

Code = Annotated[str, Field(pattern=r"\S")]
Count = Annotated[int, Field(ge=0, le=LONGEST_SECONDS)] | Annotated[str, Field(pattern=r"^[0-9]{0,9}$")] | None
Retries = Annotated[int, Field(ge=0, le=100)] | Annotated[str, Field(pattern=r"^([0-9]{0,2}|100)$")] | None
Shown = Literal[
    JobStatus.INITED, JobStatus.SCHEDULED, JobStatus.RUNNING, JobStatus.SUCCEED, JobStatus.FAILED, JobStatus.CANCELLED,
    JobStatus.TIMEOUT,
]  # fmt: skip


class Content(Shape):
    code: Code
    """At most 10 MiB, also once its variables are filled in; SQL is more than comments."""
    runType: str | None = None
    """Such as sql; may stand as labels.codeType instead."""


class OldLabels(Shape):
    userCreator: str | None = None
    """<user>-<creator>: who asks, and the application he works in, which is IDE unless it is given."""
    codeType: str | None = None
    """The run type, where the body has none."""
    executeOnce: JsonValue = None
    """Anything but false: an engine of its own, which ends with the job."""
    engineConnMode: str | None = None
    """`once`: the same."""
    jobQueuingTimeout: Count = None
    """Seconds the job may wait; 0: for ever."""
    jobRunningTimeout: Count = None
    """Seconds the job may run; 0: for ever."""
    jobRetryCount: Retries = None
    """How often a job that fails is tried again."""


class Labels(OldLabels):
    engineType: str = Field(min_length=1, examples=["flink-1.20.5"])
    """Kind and version of the engine; without a version the default one."""


class AnyLabels(OldLabels):
    engineType: str | None = None
    """Kind and version of the engine, unless executeApplicationName says it."""


class Configuration(Shape):
    runtime: dict[str, JsonValue] | None = None
    """Settings of the job, as SET in a script."""


class Params(Shape):
    variable: dict[str, JsonValue] | None = None
    """Values of ${name} in the code."""
    configuration: Configuration | None = None


class Submit(Shape):
    executionContent: Content
    labels: Labels
    params: Params | None = None
    source: dict[str, JsonValue] | None = None
    """Kept with the job, such as scriptPath."""


class Execute(Shape):
    """The older body."""

    executionCode: Code
    runType: str | None = None
    """Such as sql; may stand as labels.codeType instead."""
    executeApplicationName: str | None = None
    """Stands in for labels.engineType."""
    requestApplicationName: str | None = None
    """Stands in for the creator in labels.userCreator."""
    labels: AnyLabels | None = None
    params: Params | None = None
    source: dict[str, JsonValue] | None = None


class KillJobs(Shape):
    idList: list[JsonValue] = Field(max_length=1000)
    """execIDs or task ids."""
    taskIDList: list[JsonValue] = Field(max_length=1000)
    """As many: each is used where the one of idList is unknown."""


class StatusQuery(Shape):
    wait: int = Field(0, ge=-60, le=60)
    """Answer once the status changes, or after so many seconds."""


class LogQuery(Shape):
    fromLine: Number = 0
    """The first line wanted."""
    size: Number = logs.DEFAULT_SIZE
    """How many lines; below 0 as many as fit."""
    distinctLevel: Flag = "true"
    """`false`: one text instead of four."""


class ResultQuery(Shape):
    format: Literal["arrow", "csv", "jsonl"] = "arrow"
    """arrow: an IPC stream; csv: with a head, NULL as an empty cell."""
    fromRow: Number = 0
    """The first row wanted."""
    rows: Number = 2**53
    """How many rows at most."""


class Acted(Shape):
    execID: str


class Submitted(Acted):
    taskID: int


class Status(Acted):
    status: Shown


class Step(Shape):
    id: str
    succeedTasks: int
    failedTasks: int
    runningTasks: int
    totalTasks: int


class Progress(Acted):
    progress: float = Field(ge=0, le=1)
    progressInfo: list[Step]
    """Empty when the job has ended."""


class ProgressWithResource(Progress):
    yarnResource: None = may_lack()
    """Lacks when the job has ended."""


class Log(Acted):
    log: list[str] | str
    """Four texts: error, warn, info, all; or all lines as one text."""
    fromLine: int
    """The line to go on at."""


class KilledData(Shape):
    execID: str = may_lack()


class KillMessage(Shape):
    method: str
    status: Literal[0, 1]
    """1: neither id is a job's that the caller may see."""
    message: str
    data: KilledData


class KillMessages(Shape):
    messages: list[KillMessage]
    """One for each pair of ids, in their order."""
