"""Once jobs, as Linkis' once client writes and reads them: an engine that is made for one job, and what it is asked.

What clients call the engine's `instance` is the execID of its job, and its `ticketId` the task id.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from commons.process.errors import Invalid
from protocol import codes, names
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from protocol.states.job import JOB, JobStatus
from services.entrance.wire.jobs import Submit, exec_id_of, parse_submit
from services.entrance.wire.objects import parse_object

ENGINE, NODE, MANAGER = "linkis-cg-engineconn", "linkis-cg-engineconnmanager", "linkis-cg-linkismanager"
CONTENT = "onceExecutorContent"
"""Of the properties: which artifact holds the job."""
CONTENT_FIELD = f"properties.{CONTENT}"
OPERATOR = "__operator_name__"
_SHOWN = 80
_STATUS = {
    JobStatus.RUNNING: "Running", JobStatus.SUCCEED: "Success", JobStatus.FAILED: "Failed", JobStatus.TIMEOUT: "Failed",
    JobStatus.CANCELLED: "ShuttingDown",
}  # fmt: skip
"""Linkis' word for an engine whose job is so; `Starting` before it runs. Its last three are ends."""


@dataclass(frozen=True, slots=True)
class Named:
    """An engine, as a request names it."""

    application: str
    instance: str
    ticket: str

    @classmethod
    def of(cls, body: Mapping[str, object]) -> Named:
        """Raises Invalid naming the field."""
        return cls(text(body, "applicationName"), text(body, "instance"), text(body, "ticketId"))

    @classmethod
    def of_log(cls, parameters: Mapping[str, object]) -> Named:
        """As the parameters name it by which its log is asked for. Raises Invalid naming the field."""
        within = "parameters."
        return cls(ENGINE, text(parameters, "engineConnInstance", within), text(parameters, "ticketId", within))

    @property
    def key(self) -> str:
        """Of its job."""
        return self.instance or self.ticket

    def __str__(self) -> str:
        return f"ServiceInstance({self.application[:_SHOWN]}, {self.key[:_SHOWN]}, 0)"


def content_reference(body: Mapping[str, object]) -> str:
    """Which artifact holds the job. Raises Invalid."""
    reference = text(mapping(body, "properties"), CONTENT, "properties.")
    if not reference:
        what = f"{CONTENT_FIELD} is missing: an engine is made for a once job; send its JSON to /bml/upload, then give "
        raise Invalid(codes.FIELD_INVALID, f"{what}resource_<length of its id><id><version> here", field=CONTENT_FIELD)
    return reference


def submit_of(body: Mapping[str, object], content: Mapping[str, object], user: str, request_ip: str) -> Submit:
    """The submit that a once job is: its content, and of createEngineConn's body the labels and properties.

    Properties and what else `jobContent` holds are runtime configuration too; `runtime` has the last word. What is
    wrong raises Invalid, as of any submit: there `executionContent` is what is `jobContent` here.
    """
    properties, job = mapping(body, "properties"), mapping(content, "jobContent")
    plain = {name: value for name, value in properties.items() if not name.startswith("label.") and name != CONTENT}
    more = {name: value for name, value in job.items() if name not in ("code", "runType", "variable")}
    run_type = job.get("runType") or properties.get("label.codeType")
    variables = {**_variables(job), **mapping(content, "variable")}
    if run_type in names.RUN_TYPES["seatunnel"]:  # it has defaults for those that are not given
        plain |= {f"{names.SEATUNNEL_VARIABLE}{name}": value for name, value in variables.items()}
    submit: dict[str, object] = {
        "executionContent": {"code": job.get("code"), "runType": run_type},
        "labels": {**mapping(body, "labels"), "engineConnMode": "once"},
        "params": {
            "variable": variables,
            "configuration": {"runtime": {**plain, **more, **mapping(content, "runtime")}},
        },
        "source": mapping(content, "source"),
    }
    return parse_submit(submit, user, request_ip)


def _variables(job: Mapping[str, object]) -> dict[str, object]:
    """Those of jobContent: an object, or its JSON in a text."""
    value = job.get("variable")
    if isinstance(value, str):
        return parse_object(value.encode(), "jobContent.variable") if value.strip() else {}
    return mapping(job, "variable", "jobContent.")


def node_status(job: pb.Job) -> str:
    return _STATUS.get(JobStatus(job.status), "Starting")


def created(job: pb.Job) -> dict[str, object]:
    """The engine of a job that has just been submitted."""
    return {
        "managerServiceInstance": _service(MANAGER, job.instance),
        "ecAsyncStartResult": "success",
        "ecmServiceInstance": _service(NODE, job.instance),
        "serviceInstance": _service(ENGINE, exec_id_of(job)),
        "nodeStatus": node_status(job),
        "ticketId": str(job.job_id),
    }


def node(job: pb.Job) -> dict[str, object]:
    """The engine of a job, as it is now or was at the job's end."""
    return {
        **_node(ENGINE, exec_id_of(job), job),
        "nodeStatus": node_status(job),
        "identifier": _engine_id(job),
        "ticketId": str(job.job_id),
        "lock": None,
        "ecMetrics": metrics(job),
        "emnode": _node(NODE, job.instance, job),
    }


def metrics(job: pb.Job) -> str:
    """JSON."""
    return job.metrics or "{}"


def _node(application: str, instance: str, job: pb.Job) -> dict[str, object]:
    nothing = ("labels", "nodeStatus", "nodeResource", "identifier", "ticketId", "nodeTaskInfo", "nodeOverLoadInfo")
    return {
        **dict.fromkeys((*nothing, "nodeHealthyInfo", "updateTime", "nodeDescription")),
        "score": 0.0,
        "serviceInstance": _service(application, instance),
        "owner": job.submit_user,
        "mark": "process",
        "startTime": job.created_at_ms,
    }


def _engine_id(job: pb.Job) -> str | None:
    now = job.live.engine_id if job.HasField("live") else ""
    return now or json.loads(metrics(job)).get("engineInstance")


def _service(application: str, instance: str) -> dict[str, object]:
    return {
        "registryTimestamp": 0,
        "mappingPorts": None,
        "mappingHost": None,
        "applicationName": application,
        "instance": instance,
    }


def application(job: pb.Job) -> dict[str, str]:
    """A job among those that `list` tells; what YARN would know lies with the job's engine here."""
    return {
        "appicationName": application_name(job),
        "yarnAppType": job.engine_type,
        "applicationId": str(job.job_id),
        "applicationUrl": "",
        "nodeStatus": node_status(job),
    }


def application_name(job: pb.Job) -> str:
    """As the job calls itself, else its short id."""
    runtime = json.loads(job.params or "{}").get("configuration", {}).get("runtime", {})
    return str(runtime.get("flink.app.name") or json.loads(job.source or "{}").get("jobName") or job.short_id)


def has_own_engine(job: pb.Job) -> bool:
    return "executeOnce" in json.loads(job.labels or "{}")


def has_ended(job: pb.Job) -> bool:
    return JOB.final(JobStatus(job.status))


def operated(result: Mapping[str, object], fault: str = "") -> dict[str, object]:
    """The data of an operation's answer; with a `fault` it went wrong."""
    return {"result": dict(result), "isError": bool(fault), "errorMsg": fault}


def mapping(body: Mapping[str, object], name: str, within: str = "") -> dict[str, object]:
    """An object, empty when it lacks. Raises Invalid for anything else."""
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Invalid(codes.FIELD_INVALID, f"{within}{name} must be a JSON object", field=f"{within}{name}")
    return value


def text(body: Mapping[str, object], name: str, within: str = "") -> str:
    """A text, empty when it lacks; a number as its text. Raises Invalid for anything else."""
    value = body.get(name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Invalid(codes.FIELD_INVALID, f"{within}{name} must be a text", field=f"{within}{name}")
    return str(value)
