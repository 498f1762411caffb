"""Submit bodies and history tasks, as Linkis clients write and read them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from commons.process.errors import Invalid
from protocol import codes
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from protocol.states.job import JOB, JobStatus
from services.entrance.wire import exec_id

LONGEST_SECONDS = 10**9
MOST_RETRIES = 100


@dataclass(frozen=True, slots=True)
class Submit:
    """A checked submit body. `engine` is as written, such as `flink` or `flink-1.20.5`."""

    code: str
    run_type: str
    engine: str
    user: str
    creator: str
    execute_once: bool = False
    """An engine of its own, which ends with the job."""
    queuing_timeout_seconds: int = 0
    running_timeout_seconds: int = 0
    """0: as long as it takes."""
    retries: int = 0
    """How often a job that fails is tried again."""
    variables: Mapping[str, str] = field(default_factory=dict)
    configuration: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, object] = field(default_factory=dict)
    source: Mapping[str, object] = field(default_factory=dict)


def parse_submit(body: object, user: str, request_ip: str) -> Submit:
    """Check a submit body. Raises Invalid naming the field and the fix."""
    if not isinstance(body, dict):
        raise Invalid(codes.REQUEST_INVALID, "the body must be a JSON object", field="body")
    content = _mapping(body, "executionContent")
    labels = _mapping(body, "labels")
    code, run_type = _text(content, "code", "executionContent."), _run_type(content, labels)
    if not code.strip():
        raise Invalid(
            codes.CODE_EMPTY,
            "param executionCode and scriptPath cannot be empty at the same time: give executionContent.code"
            "(参数executionCode和scriptPath不能同时为空)",
            field="executionContent.code",
        )
    if "\x00" in code:
        raise Invalid(
            codes.REQUEST_INVALID,
            "executionContent.code holds a NUL character; remove it",
            field="executionContent.code",
        )
    if not labels:
        raise Invalid(
            codes.LABELS_MISSING,
            "params or labels cannot be empty: give labels.engineType and labels.userCreator",
            field="labels",
        )
    engine = _text(labels, "engineType", "labels.")
    if not engine:
        raise Invalid(
            codes.LABEL_INVALID,
            "You need to specify engineTypeLabel in labels,such as flink-1.20.5",
            field="labels.engineType",
        )
    if not run_type:
        raise Invalid(
            codes.LABEL_INVALID,
            "You need to specify runType in executionContent, such as sql",
            field="executionContent.runType",
        )
    params = _mapping(body, "params")
    configuration = _mapping(params, "configuration", "params.")
    return Submit(
        code=code,
        run_type=run_type,
        engine=engine,
        user=user,
        creator=_creator(_text(labels, "userCreator", "labels."), user),
        execute_once="executeOnce" in labels and str(labels["executeOnce"]).lower() != "false",
        queuing_timeout_seconds=_count(labels, "jobQueuingTimeout", LONGEST_SECONDS),
        running_timeout_seconds=_count(labels, "jobRunningTimeout", LONGEST_SECONDS),
        retries=_count(labels, "jobRetryCount", MOST_RETRIES),
        variables=_texts(_mapping(params, "variable", "params.")),
        configuration=_texts(_mapping(configuration, "runtime", "params.configuration.")),
        params=params,
        source={**_mapping(body, "source"), "requestIP": request_ip},
    )


def _run_type(content: Mapping[str, object], labels: Mapping[str, object]) -> str:
    return _text(content, "runType", "executionContent.") or _text(labels, "codeType", "labels.")


def _creator(user_creator: str, user: str) -> str:
    if not user_creator:
        return "IDE"
    named, dash, creator = user_creator.partition("-")
    if not dash or not exec_id.NAME.match(creator):
        raise Invalid(
            codes.USER_CREATOR_INVALID,
            f"labels.userCreator must be <user>-<creator>, each at most {exec_id.LONGEST_NAME} of letters, digits, _ .",
            field="labels.userCreator",
        )
    if named != user:
        raise Invalid(
            codes.USER_CREATOR_OTHER,
            f"labels.userCreator names user {named[:30]}, but you are {user}; write {user}-{creator}",
            field="labels.userCreator",
        )
    return creator


def _mapping(body: Mapping[str, object], name: str, within: str = "") -> dict[str, object]:
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Invalid(codes.REQUEST_INVALID, f"{within}{name} must be a JSON object", field=f"{within}{name}")
    return value


def _text(body: Mapping[str, object], name: str, within: str) -> str:
    value = body.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Invalid(codes.REQUEST_INVALID, f"{within}{name} must be a text", field=f"{within}{name}")
    return value


def _count(labels: Mapping[str, object], name: str, most: int) -> int:
    value = labels.get(name)
    text = "" if value is None else str(value)
    if text and not (text.isascii() and text.isdigit() and len(text) < 12 and int(text) <= most):
        what = f"labels.{name} must be a whole number from 0 to {most}, not {text[:30]!r}"
        raise Invalid(codes.LABEL_INVALID, what, field=f"labels.{name}")
    return int(text or 0)


def _texts(values: Mapping[str, object]) -> dict[str, str]:
    """Plain values as texts; what Linkis clients nest beside them is not for the engine."""
    texts: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, bool):
            texts[name] = "true" if value else "false"
        elif isinstance(value, str | int | float):
            texts[name] = str(value)
    return texts


def exec_id_of(job: pb.Job) -> str:
    return exec_id.build(job.instance, job.short_id)


def shown_status(job: pb.Job) -> str:
    """WaitForRetry is shown as Scheduled: linkis-cli gives up on it."""
    return JobStatus.SCHEDULED if job.status == JobStatus.WAIT_FOR_RETRY else job.status


def task(job: pb.Job, *, with_code: bool = False) -> dict[str, object]:
    """A history task, its keys in Linkis' order. `executionCode` is shown in lists only, as the original does."""
    ended = JOB.final(JobStatus(job.status))
    source = json.loads(job.source or "{}")
    labels = json.loads(job.labels or "{}")
    return {
        "taskID": job.job_id,
        "instance": job.instance,
        "execId": job.short_id,
        "umUser": job.submit_user,
        "executeUser": job.execute_user,
        "engineInstance": (job.live.engine_id or None) if job.HasField("live") else None,
        "executionCode": job.execution_code if with_code else None,
        "progress": str(job.progress),
        "logPath": job.log_path,
        "resultLocation": job.result_location,
        "status": shown_status(job),
        "createdTime": job.created_at_ms,
        "updatedTime": job.updated_at_ms,
        "engineType": job.engine_type,
        "errCode": job.error_code if ended else None,
        "errDesc": job.error_desc if ended else None,
        "executeApplicationName": job.engine_type,
        "requestApplicationName": job.creator,
        "runType": job.run_type,
        "paramsJson": job.params,
        "costTime": min(job.updated_at_ms - job.created_at_ms, 2**31 - 1),
        "strongerExecId": exec_id_of(job),
        "sourceJson": job.source,
        "sourceTailor": "-".join(str(value) for value in source.values()),
        "engineStartTime": None,
        "labels": [f"{name}:{value}" for name, value in labels.items()],
        "canRetry": False,
        "observeInfo": job.observe_info or None,
        "isReuse": None,
        "requestStartTime": None,
        "requestEndTime": None,
        "requestSpendTime": None,
        "metrics": job.metrics,
        "subJobs": None,
    }


def progress_info(vertices: list[dict[str, object]]) -> list[dict[str, object]]:
    return [
        {
            "id": vertex["id"],
            "succeedTasks": vertex["succeeded"],
            "failedTasks": vertex["failed"],
            "runningTasks": vertex["running"],
            "totalTasks": vertex["total"],
        }
        for vertex in vertices
        if vertex["total"]
    ]
