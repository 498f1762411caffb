"""The REST door of a Flink cluster: jobs, their vertices, cancelling. The only module that speaks HTTP to Flink."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp

from commons.calls import http
from services.engineconn.engine import Vertex

_WRONG_TURN = (aiohttp.ClientError, TimeoutError)


class Rest:
    """One cluster. Methods answer None when Flink does not (yet) know, or does not answer."""

    def __init__(self, base_url: str) -> None:
        self._session = http.session(base_url)

    async def answers(self) -> bool:
        """Whether Flink answers at all, within a few seconds."""
        try:
            async with self._session.get("/config", timeout=aiohttp.ClientTimeout(total=5)) as reply:
                await reply.read()
        except _WRONG_TURN:
            return False
        return True

    async def slots(self) -> int:
        """Free slots; 0 while the cluster comes up."""
        overview = await self._get("/overview")
        return int(overview.get("slots-available", 0)) if overview else 0

    async def vertices(self, job_id: str) -> tuple[Vertex, ...] | None:
        job = await self._get(f"/jobs/{job_id}")
        return tuple(_vertex(vertex) for vertex in job.get("vertices", ())) if job else None

    async def cancel(self, job_id: str) -> None:
        """Ask a job to stop; harmless when there is none."""
        try:
            async with self._session.patch(f"/jobs/{job_id}", params={"mode": "cancel"}) as reply:
                await reply.read()
        except _WRONG_TURN:
            return

    async def close(self) -> None:
        await self._session.close()
        await asyncio.sleep(0)

    async def _get(self, path: str) -> dict[str, Any] | None:
        try:
            async with self._session.get(path) as reply:
                return await reply.json(content_type=None) if reply.status == 200 else None
        except _WRONG_TURN:
            return None


def _vertex(vertex: dict[str, Any]) -> Vertex:
    tasks = vertex.get("tasks", {})
    return Vertex(
        id=str(vertex.get("id", "")),
        name=str(vertex.get("name", "")),
        succeeded=int(tasks.get("FINISHED", 0)),
        failed=int(tasks.get("FAILED", 0)) + int(tasks.get("CANCELED", 0)),
        running=int(tasks.get("RUNNING", 0)),
        total=int(vertex.get("parallelism", 0)),
    )


def fraction(vertices: tuple[Vertex, ...]) -> float:
    """How far one Flink job is: a running task counts half."""
    total = sum(vertex.total for vertex in vertices)
    return sum(v.succeeded + v.running / 2 for v in vertices) / total if total else 0.0
