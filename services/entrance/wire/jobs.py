"""Submit bodies and history tasks, as Linkis clients write and read them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from commons.process.errors import Invalid, TooLarge
from protocol import codes
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from protocol.states.job import JOB, JobStatus
from services.entrance.wire import exec_id

LONGEST_SECONDS = 10**9
LARGEST_CODE = 10 * 1024 * 1024
"""Bytes of code, also once its variables are filled in."""
MOST_RETRIES = 100
_OLD = {"executionCode", "executeApplicationName", "requestApplicationName"}
"""What only the older body has."""


@dataclass(frozen=True, slots=True)
class Submit:
    """A checked submit body. `engine` is as written, such as `flink` or `flink-1.20.5`; `user` whom it names."""

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
    """Check the body of submit, or the older one of execute, which has no `executionContent`.

    Raises Invalid naming the field and the fix.
    """
    if not isinstance(body, dict):
        raise Invalid(codes.REQUEST_INVALID, "the body must be a JSON object", field="body")
    old = body.get("executionContent") is None and not _OLD.isdisjoint(body)
    content, within = (body, "") if old else (_mapping(body, "executionContent"), "executionContent.")
    labels = _old_labels(body, user) if old else _mapping(body, "labels")
    code = _code(content, "executionCode" if old else "code", within)
    engine = _engine(labels)
    run_type = _text(content, "runType", within) or _text(labels, "codeType", "labels.")
    if not run_type:
        what = f"You need to specify runType in {within.rstrip('.') or 'the body'}, such as sql"
        raise Invalid(codes.LABEL_INVALID, what, field=f"{within}runType")
    named, creator = _user_creator(_text(labels, "userCreator", "labels."), user)
    params = _mapping(body, "params")
    configuration = _mapping(params, "configuration", "params.")
    return Submit(
        code=code,
        run_type=run_type,
        engine=engine,
        user=named,
        creator=creator,
        execute_once=_once(labels),
        queuing_timeout_seconds=_count(labels, "jobQueuingTimeout", LONGEST_SECONDS),
        running_timeout_seconds=_count(labels, "jobRunningTimeout", LONGEST_SECONDS),
        retries=_count(labels, "jobRetryCount", MOST_RETRIES),
        variables=_variables(_mapping(params, "variable", "params.")),
        configuration=_texts(_mapping(configuration, "runtime", "params.configuration.")),
        params=params,
        source={**_mapping(body, "source"), "requestIP": request_ip},
    )


def _once(labels: Mapping[str, object]) -> bool:
    """Two labels say it: executeOnce by being there, engineConnMode by its value."""
    is_there = "executeOnce" in labels and str(labels["executeOnce"]).lower() != "false"
    return is_there or _text(labels, "engineConnMode", "labels.") == "once"


def _old_labels(body: Mapping[str, object], user: str) -> dict[str, object]:
    """The labels of the older body; its applications stand in for those that lack."""
    engine, creator = (_text(body, name, "") for name in ("executeApplicationName", "requestApplicationName"))
    labels: dict[str, object] = {"engineType": engine} if engine else {}
    if creator:
        labels["userCreator"] = f"{user}-{creator}"
    return labels | {name: value for name, value in _mapping(body, "labels").items() if value is not None}


def _code(content: Mapping[str, object], name: str, within: str) -> str:
    code, field = _text(content, name, within), f"{within}{name}"
    if not code.strip():
        raise Invalid(
            codes.CODE_EMPTY,
            f"param executionCode and scriptPath cannot be empty at the same time: give {field}"
            "(参数executionCode和scriptPath不能同时为空)",
            field=field,
        )
    if "\x00" in code:
        raise Invalid(codes.REQUEST_INVALID, f"{field} holds a NUL character; remove it", field=field)
    if len(code.encode()) > LARGEST_CODE:
        what = f"{field} is over {LARGEST_CODE} bytes; send less, or split it into several jobs"
        raise TooLarge(codes.REQUEST_INVALID, what, field=field)
    return code


def _engine(labels: Mapping[str, object]) -> str:
    if not labels:
        what = "params or labels cannot be empty: give labels.engineType and labels.userCreator"
        raise Invalid(codes.LABELS_MISSING, what, field="labels")
    engine = _text(labels, "engineType", "labels.")
    if not engine:
        what = "You need to specify engineTypeLabel in labels,such as flink-1.20.5"
        raise Invalid(codes.LABEL_INVALID, what, field="labels.engineType")
    return engine


def _user_creator(user_creator: str, user: str) -> tuple[str, str]:
    if not user_creator:
        return user, "IDE"
    named, dash, creator = user_creator.partition("-")
    if not dash or not exec_id.NAME.match(creator):
        raise Invalid(
            codes.USER_CREATOR_INVALID,
            f"labels.userCreator must be <user>-<creator>, each at most {exec_id.LONGEST_NAME} of letters, digits, _ .",
            field="labels.userCreator",
        )
    return named, creator


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


def _variables(values: Mapping[str, object]) -> dict[str, str]:
    """Plain values as texts; null is as if it was not there."""
    for name, value in values.items():
        if value is not None and not isinstance(value, str | int | float):
            field = f"params.variable.{name[:60]}"
            what = f"{field} must be a text, a number, true or false, not a list or an object"
            raise Invalid(codes.REQUEST_INVALID, what, field=field)
    return _texts(values)


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
        "engineInstance": _engine_instance(job),
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


def _engine_instance(job: pb.Job) -> str | None:
    now = job.live.engine_id if job.HasField("live") else ""
    return now or json.loads(job.metrics or "{}").get("engineInstance")


def extra_info(job: pb.Job) -> dict[str, object]:
    """The metrics of a job with its code and how long it took."""
    took = f"{job.updated_at_ms - job.created_at_ms} ms"
    return {**json.loads(job.metrics or "{}"), "executionCode": job.execution_code, "runtime": took}


def observe_info(body: Mapping[str, object]) -> tuple[str, str]:
    """A job's key, and whom to notify of it how, as the job keeps it (JSON). Raises Invalid naming what lacks."""
    kept: dict[str, object] = {}
    for name in ("taskId", "receiver", "monitorLevel", "subSystemId"):
        value = body.get(name)
        if not isinstance(value, str | int) or isinstance(value, bool) or value == "":
            raise Invalid(codes.FIELD_INVALID, f"{name} must be a text or a number", field=name)
        kept[name] = value
    extra = _mapping(body, "extra")
    for name in ("title", "detail"):
        if not _text(extra, name, "extra."):
            raise Invalid(codes.FIELD_INVALID, f"extra.{name} must be a text", field=f"extra.{name}")
    kept["extra"] = extra
    return str(kept["taskId"]), json.dumps(kept, ensure_ascii=False)


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
