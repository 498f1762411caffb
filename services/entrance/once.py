"""Once jobs, Linkis' way to run long ones: an engine is created for a job, which is then asked through it.

Each is a job like any other. What Linkis keeps of an engine is told from its job, so there is nothing else to keep.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from commons.process.errors import TooLarge
from protocol import codes
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from services.entrance.artifacts import Artifacts
from services.entrance.jobs import Jobs
from services.entrance.users import Asker
from services.entrance.wire import once as wire
from services.entrance.wire.objects import parse_object

LARGEST_CONTENT = 12 * 2**20
"""Bytes of a once job's JSON: as much as a submit may have."""


class OnceJobs:
    """Composed by `app`; holds nothing of its own."""

    def __init__(self, jobs: Jobs, artifacts: Artifacts) -> None:
        self._jobs = jobs
        self._artifacts = artifacts

    async def create(self, body: Mapping[str, object], asker: Asker, request_ip: str, key: str | None = None) -> pb.Job:
        """The job of an artifact, saved for good; it gets an engine of its own when it is its turn.

        Raises what a submit raises, and for the artifact NotFound, TooLarge and Invalid.
        """
        content = await self._content(wire.content_reference(body), asker)
        return await self._jobs.submit(wire.submit_of(body, content, asker.user, request_ip), asker, key)

    async def _content(self, reference: str, asker: Asker) -> dict[str, object]:
        artifact = await self._artifacts.resolve(asker, reference, wire.CONTENT_FIELD)
        if artifact.size > LARGEST_CONTENT:
            what = f"{artifact.name} {artifact.version} is over {LARGEST_CONTENT} bytes; a once job is a smaller JSON"
            raise TooLarge(codes.REQUEST_INVALID, what, field=wire.CONTENT_FIELD)
        file = await self._artifacts.open(artifact)
        with file:
            return parse_object(await asyncio.to_thread(file.read), wire.CONTENT_FIELD)
