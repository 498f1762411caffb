"""Clusters as they are without Headgate: their own REST, asked straight; and where that of an engine is."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx2

from services.engineconn.flink.launch import HOST
from services.engineconn.seatunnel.rest import BASE, ENDED

SOON_SECONDS = 120.0
POLL_SECONDS = 0.01


def until(true: Callable[[], bool], what: str) -> None:
    """Return as soon as `true()` holds."""
    end = time.monotonic() + SOON_SECONDS
    while not true():
        assert time.monotonic() < end, what
        time.sleep(POLL_SECONDS)


class FlinkCluster:
    """Close it after use."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._http = httpx2.Client(base_url=f"http://{HOST}:{port}", timeout=SOON_SECONDS)

    @classmethod
    def of(cls, home: Path) -> FlinkCluster:
        """Of the only engine of a service that has a job manager of its own."""
        (file,) = home.glob("node/engines/*/*/jobmanager/config.yaml")
        return cls(_number(r'rest\.port: "(\d+)"', file))

    def slots(self) -> int:
        """Free ones; 0 while it does not answer."""
        try:
            reply = self._http.get("/overview")
        except httpx2.TransportError:
            return 0
        return int(reply.json().get("slots-available", 0)) if reply.status_code == 200 else 0

    def jobs(self, *states: str) -> set[str]:
        """Ids of all jobs, or of those in these states."""
        found = self._http.get("/jobs").json()["jobs"]
        return {str(job["id"]) for job in found if not states or job["status"] in states}

    def upload(self, jar: Path) -> str:
        """The id of the jar."""
        form = {"jarfile": (jar.name, jar.read_bytes(), "application/x-java-archive")}
        return str(self._answer(self._http.post("/jars/upload", files=form))["filename"]).rsplit("/", 1)[-1]

    def run(self, jar: str, entry: str, *arguments: str) -> None:
        body = {"entryClass": entry, "programArgsList": arguments}
        self._answer(self._http.post(f"/jars/{jar}/run", json=body))

    def clear(self) -> None:
        """Cancel what runs; returns when its slots are free."""
        for job in self.jobs("RUNNING"):
            self._http.patch(f"/jobs/{job}", params={"mode": "cancel"})
        until(lambda: self.jobs() == self.jobs("CANCELED", "FINISHED", "FAILED"), "its jobs end")

    def close(self) -> None:
        self._http.close()

    def _answer(self, reply: httpx2.Response) -> dict[str, Any]:
        assert reply.status_code == 200, reply.text
        return dict(reply.json())


class ZetaCluster:
    """Close it after use."""

    def __init__(self, port: int) -> None:
        self._http = httpx2.Client(base_url=f"http://{HOST}:{port}{BASE}", timeout=SOON_SECONDS)

    @classmethod
    def of(cls, home: Path) -> ZetaCluster:
        """Of a service's only engine that is a SeaTunnel."""
        (file,) = home.glob("node/engines/*/*/config/hazelcast.yaml")
        return cls(_number(r"(?m)^ +port: (\d+)$", file))

    def ready(self) -> bool:
        try:
            reply = self._http.get("/overview")
        except httpx2.TransportError:
            return False
        return reply.status_code == 200 and "projectVersion" in reply.json()

    def run(self, config: Mapping[str, Any]) -> None:
        """A job, to its end."""
        reply = self._http.post("/submit-job", json=config)
        assert reply.status_code == 200, reply.text
        path = f"/job-info/{reply.json()['jobId']}"
        until(lambda: self._http.get(path).json().get("jobStatus") in ENDED, "the job ends")
        said = self._http.get(path).json()
        assert said["jobStatus"] == "FINISHED", said

    def close(self) -> None:
        self._http.close()


def _number(pattern: str, file: Path) -> int:
    found = re.search(pattern, file.read_text())
    assert found is not None, file
    return int(found[1])
