"""The REST door of a Flink cluster: jobs, their vertices, cancelling. The only module that speaks HTTP to Flink."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp

from commons.calls import http
from services.engineconn.engine import Vertex
from services.engineconn.flink.causes import root_cause

LONG = aiohttp.ClientTimeout(total=600)
"""For what runs users' code or moves files."""
_WRONG_TURN = (aiohttp.ClientError, TimeoutError)


class Refusal(Exception):
    """What Flink has against a call: its root cause in the message, all of it in `text`."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(root_cause(text))
        self.status = status
        self.text = text


class NoAnswer(Exception):
    """Flink did not answer at all, or not in time."""


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

    async def job(self, job_id: str) -> dict[str, Any]:
        """All that is said of a job. Raises NoAnswer, and Refusal (404) when there is none."""
        return await self._call("GET", f"/jobs/{job_id}")

    async def overview(self) -> dict[str, Any]:
        return await self._get("/overview") or {}

    async def exceptions(self, job_id: str) -> list[dict[str, Any]]:
        """What its tasks failed of, the newest first."""
        found = await self._get(f"/jobs/{job_id}/exceptions?maxExceptions=5") or {}
        entries = list(found.get("exceptionHistory", {}).get("entries", ()))
        if not entries and found.get("root-exception"):  # it failed before it had tasks
            entries = [{"stacktrace": found["root-exception"]}]
        return entries

    async def checkpoints(self, job_id: str) -> dict[str, Any]:
        return await self._get(f"/jobs/{job_id}/checkpoints") or {}

    async def back_pressure(self, job_id: str, vertex: str) -> dict[str, Any]:
        return await self._get(f"/jobs/{job_id}/vertices/{vertex}/backpressure") or {}

    async def numbers(self, path: str, names: str) -> dict[str, float]:
        """Metrics by name: the sum over subtasks, where there are some."""
        found = await self._get(f"{path}?get={names}")
        values = {one["id"]: one.get("sum", one.get("value")) for one in found or () if isinstance(one, dict)}
        return {name: float(str(value)) for name, value in values.items() if _is_number(value)}

    async def upload(self, jar: Path) -> str:
        """The id that the jar has on the cluster. Raises Refusal and NoAnswer."""
        with jar.open("rb") as content:
            form = aiohttp.FormData()
            form.add_field("jarfile", content, filename="job.jar", content_type="application/x-java-archive")
            reply = await self._call("POST", "/jars/upload", data=form, timeout=LONG)
        return str(reply["filename"]).rsplit("/", 1)[-1]

    async def run_jar(self, jar_id: str, body: Mapping[str, Any]) -> None:
        """Raises Refusal and NoAnswer."""
        await self._call("POST", f"/jars/{jar_id}/run", json=body, timeout=LONG)

    async def plan_jar(self, jar_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The job as it would run. Raises Refusal and NoAnswer."""
        return dict((await self._call("POST", f"/jars/{jar_id}/plan", json=body, timeout=LONG))["plan"])

    async def trigger(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Begin something that takes its time and return what came of it. Raises Refusal and NoAnswer."""
        request_id = (await self._call("POST", path, json=body))["request-id"]
        poll = path.rsplit("/", 1)[0] + "/savepoints" if path.endswith("/stop") else path
        while True:
            reply = await self._call("GET", f"{poll}/{request_id}")
            if reply["status"]["id"] == "COMPLETED":
                operation = dict(reply.get("operation") or {})
                if cause := operation.get("failure-cause"):
                    raise Refusal(500, str(cause.get("stack-trace", cause)))
                return operation
            await asyncio.sleep(0.1)

    async def close(self) -> None:
        await self._session.close()
        await asyncio.sleep(0)

    async def _get(self, path: str) -> Any:
        try:
            async with self._session.get(path) as reply:
                return await reply.json(content_type=None) if reply.status == 200 else None
        except _WRONG_TURN:
            return None

    async def _call(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        try:
            async with self._session.request(method, path, **more) as reply:
                if reply.status < 300:
                    return dict(await reply.json(content_type=None))
                text = await reply.text()
                said = (await reply.json(content_type=None)) if text.startswith("{") else {}
        except _WRONG_TURN as error:
            raise NoAnswer(f"Flink's REST does not answer: {error or type(error).__name__}") from None
        if reply.status == 503:  # it comes up, or chooses its leader
            raise NoAnswer("Flink is not ready yet")
        raise Refusal(reply.status, "\n".join(str(line) for line in said.get("errors", [text])))


def _is_number(value: object) -> bool:
    try:
        return float(str(value)) < float("inf")
    except ValueError:
        return False


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
