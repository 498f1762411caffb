"""What a running Flink job can be asked for: a savepoint, an end with one, and how it fares."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from commons.process.errors import Conflict, Invalid, Unavailable
from protocol import codes
from services.engineconn.flink.causes import root_cause
from services.engineconn.flink.rest import NoAnswer, Refusal, Rest

SAVEPOINT, SUSPEND, DIAGNOSIS = "savepoint", "suspend", "diagnosis"
OPERATIONS = (SAVEPOINT, SUSPEND, DIAGNOSIS)
_FORMATS = ("CANONICAL", "NATIVE")
_NOT_NOW = ("is not running", "Not all required tasks are currently running", "terminating")


async def save(rest: Rest, job_id: str, operation: str, parameters: Mapping[str, str]) -> str:
    """The path of the new savepoint; after `suspend` the job ends. Parameters: format, and drain of `suspend`.

    Raises Invalid, Conflict when the job is not in a state for it, Unavailable when Flink fails to do it.
    """
    form = parameters.get("format", _FORMATS[0]).upper()
    if form not in _FORMATS:
        raise Invalid(codes.FIELD_INVALID, f"format must be one of: {', '.join(_FORMATS)}", field="format")
    try:
        await _refuse(rest, job_id, operation)
        if operation == SUSPEND:
            drain = parameters.get("drain", "false").lower() == "true"
            done = await rest.trigger(f"/jobs/{job_id}/stop", {"drain": drain, "formatType": form})
        else:
            done = await rest.trigger(f"/jobs/{job_id}/savepoints", {"cancel-job": False, "formatType": form})
    except Refusal as error:
        if any(words in error.text for words in _NOT_NOW):
            raise Conflict(codes.OPERATION_FAILED, f"the job is not in a state for it: {error}") from None
        raise Unavailable(codes.OPERATION_FAILED, f"Flink made no savepoint: {error}") from None
    except NoAnswer as error:
        raise Unavailable(codes.OPERATION_FAILED, str(error)) from None
    return str(done["location"])


async def _refuse(rest: Rest, job_id: str, operation: str) -> None:
    job = await rest.job(job_id)
    if str(job.get("job-type") or job.get("plan", {}).get("type")) == "BATCH":
        raise Invalid(codes.OPERATION_UNKNOWN, f"a batch job has no {operation}; it has no state", field="operation")
    if job.get("state") != "RUNNING":
        what = f"the job is {job.get('state')}: {operation} is for one that runs"
        raise Conflict(codes.OPERATION_FAILED, what)


async def diagnosis(rest: Rest, job_id: str) -> Mapping[str, str]:
    """How the job fares, as texts: its state, what its tasks failed of, its checkpoints and what holds it back."""
    try:
        job = await rest.job(job_id)
    except (Refusal, NoAnswer) as error:
        raise Unavailable(codes.OPERATION_FAILED, str(error)) from None
    checkpoints = await rest.checkpoints(job_id)
    latest = checkpoints.get("latest") or {}
    pressures = [f"{vertex['name']}: {await _pressure(rest, job_id, vertex)}" for vertex in job.get("vertices", ())]
    return {
        "state": str(job.get("state")),
        "exceptions": "\n".join(_failure(entry) for entry in await rest.exceptions(job_id)) or "none",
        "checkpoints": json.dumps(checkpoints.get("counts", {})),
        "latest_checkpoint": str((latest.get("completed") or {}).get("external_path", "none")),
        "checkpoint_failure": str((latest.get("failed") or {}).get("failure_message", "none")),
        "restored_from": str((latest.get("restored") or {}).get("external_path", "none")),
        "back_pressure": "\n".join(pressures) or "none",
    }


async def _pressure(rest: Rest, job_id: str, vertex: Mapping[str, Any]) -> str:
    found = await rest.back_pressure(job_id, str(vertex["id"]))
    level = found.get("backpressureLevel") or found.get("backpressure-level") or "unknown"
    subtasks = [one for one in found.get("subtasks", ()) if isinstance(one, dict)]
    ratio, busy = (max((float(one.get(key) or 0) for one in subtasks), default=0.0) for key in ("ratio", "busyRatio"))
    return f"{level} (held back {ratio:.0%}, busy {busy:.0%})"


def _failure(entry: Mapping[str, Any]) -> str:
    at = datetime.fromtimestamp(int(entry.get("timestamp") or 0) / 1000).isoformat(" ", "milliseconds")
    where = entry.get("taskName") or "the job"
    return f"{at} {where}: {root_cause(str(entry.get('stacktrace', '')))}"
