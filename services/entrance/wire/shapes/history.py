"""/jobhistory and the counts of jobs and engines."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, JsonValue

from services.entrance.wire import queries
from services.entrance.wire.shapes.envelopes import Flag, Number, Shape, may_lack
from services.entrance.wire.shapes.jobs import Shown

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9\-_.:]*$", max_length=queries.LONGEST_NAME)]
Moment = Annotated[int, Field(ge=-queries.LATEST_MS, le=queries.LATEST_MS)]
Key = Annotated[str, Field(min_length=1)] | int


class CountQuery(Shape):
    proxyUser: Name = ""
    """Only this user's, where the caller sees all users'."""
    startDate: Moment = 0
    """Only what was made from then on; milliseconds since 1970."""
    endDate: Moment = 0
    """Only what was made until then; 0: until now."""
    status: str = ""
    """Only jobs of these statuses, with commas between; a status that there is not finds none."""
    taskID: Number = 0
    """Only this job."""
    executeApplicationName: Name = ""
    """Only jobs of this kind of engine."""
    creator: Name = ""
    """Only jobs of this application."""
    instance: Name = ""
    """Only jobs that this instance took."""
    engineInstance: Name = ""
    """Only jobs on this engine."""
    runType: Name = ""
    """Only jobs of this run type."""
    pageNow: int = Field(1, ge=-(2**31) + 1, le=2**31 - 1)
    """The page, from 1."""
    pageSize: int = Field(20, ge=-queries.LARGEST_PAGE, le=queries.LARGEST_PAGE)
    """Jobs on a page; below 1 it is 20."""


class ListQuery(CountQuery):
    isAdminView: Flag = ""
    """`true`: an administrator sees all users' jobs."""


class UndoneQuery(ListQuery):
    engineType: Name = ""
    """Only jobs of this kind of engine."""
    startTaskID: Number = 0
    """Only jobs with this id or a later one."""


class IdsQuery(Shape):
    taskID: str = Field(pattern=rf"^[0-9]{{1,15}}(,[0-9]{{1,15}}){{0,{queries.MOST_IDS - 1}}}$")
    """Task ids, with commas between."""


class ExtraInfoQuery(Shape):
    jobId: str
    """The task id, or the execID."""


class ObserveQuery(Shape):
    taskId: str
    """The task id, or the execID."""


class TaskInfoQuery(Shape):
    user: Name = ""
    """Whose; users who are no administrators count their own."""
    creator: Name = ""
    """Only jobs of this application."""
    ecType: Name = ""
    """Only jobs of this kind of engine."""


class Notice(Shape):
    title: str = Field(min_length=1)
    detail: str = Field(min_length=1)


class Observe(Shape):
    taskId: Key
    """The task id, or the execID."""
    receiver: Key
    monitorLevel: Key
    subSystemId: Key
    extra: Notice


class Task(Shape):
    taskID: int
    instance: str
    """The instance that took the job."""
    execId: str
    """The part of the execID that is the job's own."""
    umUser: str
    executeUser: str
    engineInstance: str | None
    executionCode: str | None
    """The code as it was submitted; null outside lists."""
    progress: str
    """A number from 0 to 1, as a text."""
    logPath: str
    """Path of the log, for /filesystem/openLog."""
    resultLocation: str
    """Path of the folder of results, for /filesystem/getDirFileTrees."""
    status: Shown
    createdTime: int
    """Milliseconds since 1970."""
    updatedTime: int
    engineType: str
    errCode: int | None
    """How the job ended: 0, or one of the error codes; null before its end."""
    errDesc: str | None
    executeApplicationName: str
    requestApplicationName: str
    """The creator."""
    runType: str
    paramsJson: str
    costTime: int
    """Milliseconds from the submit to the last change."""
    strongerExecId: str
    """The execID."""
    sourceJson: str
    sourceTailor: str
    engineStartTime: None
    labels: list[str]
    canRetry: bool
    observeInfo: str | None
    isReuse: None
    requestStartTime: None
    requestEndTime: None
    requestSpendTime: None
    metrics: str
    subJobs: None


class TaskPage(Shape):
    totalPage: int
    """How many jobs there are in all."""
    tasks: list[Task]


class TaskTotal(Shape):
    totalPage: int
    """How many jobs there are."""


class TaskList(Shape):
    tasks: list[Task]


class TasksById(Shape):
    jobHistoryList: list[Task]


class OneTask(Shape):
    task: Task


class Rights(Shape):
    admin: bool
    historyAdmin: bool
    deptAdmin: bool
    errorMsgTip: str


class ExtraInfo(Shape):
    metricsMap: dict[str, JsonValue]


class TaskCounts(Shape):
    sumCount: int
    succeedCount: int
    failedCount: int
    cancelledCount: int
    """Cancelled or out of time."""


class EngineCounts(Shape):
    countEngine: int
    countEngineSucceed: int
    """Ended as wished."""
    countEngineFailed: int
    """Ended by themselves."""
    countEngineShutting: int


class TaskNumbers(Shape):
    taskNumber: int
    runningNumber: int
    queuedNumber: int
    creatorECTypeMaxRunningJobs: int = may_lack()
    """The limit of a tenant; only with `creator` and `ecType`."""
    limitExceeded: bool = may_lack()


class RunningTasks(Shape):
    runningTaskNumber: int
    isCompleted: bool
    """There are none."""


class Gateways(Shape):
    gatewayList: list[str]
    isHealthy: bool
