"""What can be asked of a job through its engine, by the names of Linkis' operators and with their keys."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping

from commons.process.errors import Invalid, NotFound
from protocol import codes
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from protocol.states.job import JobStatus
from services.entrance import events
from services.entrance.jobs import Jobs
from services.entrance.savepoints import Savepoints
from services.entrance.users import Asker
from services.entrance.wire import once as wire

Parameters = Mapping[str, object]
Operator = Callable[[pb.Job, Parameters, Asker], Awaitable[dict[str, object]]]

MOST_LISTED = 1000
"""Of the user's newest jobs of the kind, those that match are told."""
_MODES = {"trigger": "savepoint", "cancel": "savepoint", "stop": "suspend"}
_STATES = {
    **dict.fromkeys(
        ("NEW", "NEW_SAVING", "SUBMITTED", "ACCEPTED"),
        (JobStatus.INITED, JobStatus.SCHEDULED, JobStatus.WAIT_FOR_RETRY),
    ),
    "RUNNING": (JobStatus.RUNNING,),
    "FINISHED": (JobStatus.SUCCEED,),
    "FAILED": (JobStatus.FAILED, JobStatus.TIMEOUT),
    "KILLED": (JobStatus.CANCELLED,),
}
"""YARN's words for states of jobs."""


class Operators:
    """Composed by `app`."""

    def __init__(self, jobs: Jobs, savepoints: Savepoints) -> None:
        self._jobs = jobs
        self._savepoints = savepoints
        self._by_name: dict[str, Operator] = {
            "status": self._status,
            "list": self._list,
            "doSavepoint": self._savepoint,
            "kill": self._kill,
            "engineConnProgress": self._progress,
            "engineConnMetrics": self._metrics,
            "engineConnDiagnosis": self._diagnosis,
            "engineConnYarnApplication": self._application,
        }

    async def operate(self, job: pb.Job, parameters: Parameters, asker: Asker) -> dict[str, object]:
        """What the operator that `parameters` names gives. Raises Invalid for one that there is not or for what it
        lacks, NotFound for an application that is not the job, and what an operation of the job raises."""
        name = needed(parameters, wire.OPERATOR)
        if name not in self._by_name:
            raise unknown_operator(name, self._by_name)
        application = wire.text(parameters, "applicationId", "parameters.")
        if application not in ("", str(job.job_id)):
            what = f"applicationId {application[:80]!r} is not of this engine, whose application is {job.job_id}"
            raise NotFound(codes.JOB_UNKNOWN, what, field="parameters.applicationId")
        return await self._by_name[name](job, parameters, asker)

    async def _status(self, job: pb.Job, _: Parameters, __: Asker) -> dict[str, object]:
        return {"nodeStatus": wire.node_status(job), "applicationId": str(job.job_id)}

    async def _application(self, job: pb.Job, _: Parameters, __: Asker) -> dict[str, object]:
        return {"applicationId": str(job.job_id), "applicationUrl": "", "queue": "", "yarnMode": ""}

    async def _list(self, job: pb.Job, parameters: Parameters, asker: Asker) -> dict[str, object]:
        """The user's jobs with engines of their own, of the job's kind of engine: those that run, or in `states`."""
        name = wire.text(parameters, "appicationName", "parameters.")
        kinds = [each.lower() for each in _texts(parameters, "yarnAppTypeList")]
        query = pb.JobHistoryQuery(
            submit_user=asker.user, engine_type=job.engine_type, page=1, page_size=MOST_LISTED,
            statuses=_statuses(_texts(parameters, "yarnAppStateList")),
        )  # fmt: skip
        wanted = not kinds or any(job.engine_type in kind for kind in kinds)
        found = (await self._jobs.query(query)).jobs if wanted else []
        told = [
            wire.application(each)
            for each in found
            if wire.has_own_engine(each) and name in wire.application_name(each)
        ]  # fmt: skip
        return {"yarnAppResultList": json.dumps(told, ensure_ascii=False)}

    async def _savepoint(self, job: pb.Job, parameters: Parameters, asker: Asker) -> dict[str, object]:
        """`trigger`: the job goes on; `stop`: it ends with its savepoint; `cancel`: it is killed after it.

        What a job does between its savepoint and its end by `cancel` is done again by the job that goes on from it.
        """
        mode = needed(parameters, "mode")
        if mode not in _MODES:
            what = f"mode must be {', '.join(_MODES)}, not {mode[:30]!r}"
            raise Invalid(codes.FIELD_INVALID, what, field="parameters.mode")
        made = await self._savepoints.make(job, _MODES[mode])
        if mode == "cancel":
            await self._jobs.kill(job, asker)
        return {"writtenSavepoint": made.path}

    async def _kill(self, job: pb.Job, parameters: Parameters, asker: Asker) -> dict[str, object]:
        """Wish the job ended; with `snapshot` after a savepoint."""
        if wire.has_ended(job):
            return {"msg": f"job {job.job_id} has ended as {job.status}"}
        said = f"Try to kill job {job.job_id}"
        if str(parameters.get("snapshot", "")).lower() == "true":
            said += f"; its savepoint is {(await self._savepoints.make(job, 'savepoint')).path}"
        await self._jobs.kill(job, asker)
        return {"msg": said}

    async def _progress(self, job: pb.Job, _: Parameters, __: Asker) -> dict[str, object]:
        return events.progress(job)

    async def _metrics(self, job: pb.Job, _: Parameters, __: Asker) -> dict[str, object]:
        return {"metrics": json.loads(wire.metrics(job))}

    async def _diagnosis(self, job: pb.Job, _: Parameters, __: Asker) -> dict[str, object]:
        return {"diagnosis": await self._savepoints.operate(job, "diagnosis")}


def needed(parameters: Parameters, name: str) -> str:
    """A text that must be there. Raises Invalid."""
    value = wire.text(parameters, name, "parameters.")
    if not value:
        what = f"parameters.{name} is missing; give it"
        raise Invalid(codes.OPERATOR_KEY_MISSING, what, field=f"parameters.{name}")
    return value


def unknown_operator(name: str, known: Mapping[str, object]) -> Invalid:
    what = f"Cannot find operator named {name[:80]}; there are: {', '.join(known)}"
    return Invalid(codes.OPERATOR_UNKNOWN, what, field=f"parameters.{wire.OPERATOR}")


def _texts(parameters: Parameters, name: str) -> list[str]:
    value = parameters.get(name) or []
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        what = f"parameters.{name} must be a list of texts"
        raise Invalid(codes.FIELD_INVALID, what, field=f"parameters.{name}")
    return value


def _statuses(states: list[str]) -> list[str]:
    unknown = [state for state in states if state not in _STATES]
    if unknown:
        what = f"yarnAppStateList takes {', '.join(_STATES)}, not {unknown[0][:30]!r}"
        raise Invalid(codes.FIELD_INVALID, what, field="parameters.yarnAppStateList")
    return sorted({status for state in states or ["RUNNING"] for status in _STATES[state]})
