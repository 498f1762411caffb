"""The REST door of a Zeta server: jobs, their states and counters. The only module that speaks HTTP to SeaTunnel."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp

from commons.calls import http
from services.engineconn.engine import Vertex

BASE = "/hazelcast/rest/maps"
SUBMIT_SECONDS = 120.0
"""A submit looks plug-ins up and connects to databases before it is answered."""
ENDED = ("FINISHED", "FAILED", "CANCELED", "SAVEPOINT_DONE")
_LOST = (aiohttp.ClientError, TimeoutError, OSError)


class Refusal(Exception):
    """SeaTunnel's own words against a submit."""


class Lost(Exception):
    """No answer came: what was asked may have happened."""


@dataclass(frozen=True, slots=True)
class Job:
    """What SeaTunnel says of a job. `ended` is true only when all there is to know of its end is there."""

    status: str
    ended: bool
    error: str = ""
    """The stack trace of a failed job."""
    vertices: tuple[Vertex, ...] = ()
    metrics: Mapping[str, Any] = field(default_factory=dict)
    finished_at: str = ""


class Rest:
    """One server; `base_path` leads to its REST v1."""

    def __init__(self, base_url: str, base_path: str = BASE) -> None:
        self._session = http.session(base_url)
        self._base = base_path.rstrip("/")

    async def ready(self) -> bool:
        """Whether the server answers and takes jobs."""
        overview = await self._get("/overview")
        return isinstance(overview, dict) and "projectVersion" in overview

    async def submit(self, job_id: int, name: str, config: Mapping[str, Any], *, resume: bool) -> None:
        """Start a job under an id of our choice; asked twice it is still one job. Raises Refusal and Lost."""
        query = {"jobId": str(job_id), "jobName": name} | ({"isStartWithSavePoint": "true"} if resume else {})
        limit = aiohttp.ClientTimeout(total=SUBMIT_SECONDS)
        try:
            async with self._session.post(
                f"{self._base}/submit-job", params=query, data=json.dumps(config).encode(), timeout=limit
            ) as reply:
                text = await reply.text()
        except _LOST as error:
            raise Lost(f"{type(error).__name__}") from None
        if reply.status != 200:
            raise Refusal(_message(text))

    async def job(self, job_id: int) -> Job | None:
        """None when the server does not know the job, or does not answer."""
        return read(await self._get(f"/job-info/{job_id}"))

    async def stop(self, job_id: int, *, savepoint: bool) -> None:
        """Ask a job to end; harmless when there is none. That it was heard is seen from the job alone."""
        body = {"jobId": job_id, "isStopWithSavePoint": savepoint}
        try:
            async with self._session.post(f"{self._base}/stop-job", json=body) as reply:
                await reply.read()
        except _LOST:
            return

    async def close(self) -> None:
        await self._session.close()
        await asyncio.sleep(0)

    async def _get(self, path: str) -> Any:
        try:
            async with self._session.get(f"{self._base}{path}", timeout=aiohttp.ClientTimeout(total=5)) as reply:
                return json.loads(await reply.read()) if reply.status == 200 else None
        except (*_LOST, ValueError):
            return None


def read(said: Any) -> Job | None:
    """A job as `job-info` tells it, in one of its two shapes; None for an unknown one."""
    if not isinstance(said, dict) or not said.get("jobStatus"):
        return None
    status = str(said["jobStatus"])
    metrics = said.get("metrics")
    return Job(
        status,
        ended=status in ENDED and "finishTime" in said,
        error=str(said.get("errorMsg") or ""),
        vertices=_vertices(said.get("jobDag"), status),
        metrics=metrics if isinstance(metrics, dict) else {},
        finished_at=str(said.get("finishTime") or ""),
    )


def _vertices(dag: Any, status: str) -> tuple[Vertex, ...]:
    """A running job tells its steps and how many tasks each has; an ended one tells them as text, without tasks."""
    if isinstance(dag, str):
        return ()
    found = dag.get("vertices", ()) if isinstance(dag, dict) else ()
    return tuple(_vertex(vertex, status) for vertex in found)


def _vertex(vertex: Mapping[str, Any], status: str) -> Vertex:
    name = str(vertex.get("name", "")).split("(id=")[0]
    return in_status(Vertex(str(vertex.get("id", "")), name, 0, 0, 0, int(vertex.get("parallelism", 1))), status)


def in_status(vertex: Vertex, status: str) -> Vertex:
    """The step as it is when its job is in that status: SeaTunnel tells no status of a step."""
    return replace(
        vertex,
        succeeded=vertex.total if status in ("FINISHED", "SAVEPOINT_DONE") else 0,
        failed=vertex.total if status in ("FAILED", "CANCELED") else 0,
        running=vertex.total if status not in (*ENDED, "CREATED", "SCHEDULED") else 0,
    )


def _message(text: str) -> str:
    try:
        said = json.loads(text)
    except ValueError:
        return text[:2000]
    return str(said.get("message", "")) if isinstance(said, dict) else text[:2000]
