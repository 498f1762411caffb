"""Code too long for a row, as it runs: a file that holds the job's secrets, so it lies there only until the end."""

from __future__ import annotations

import asyncio
import logging

from commons.process.clock import Clock
from commons.process.errors import NotFound
from commons.storage import Storage
from protocol import layout
from protocol.jobhistory.client import Stub as JobHistory
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from services.entrance.intake import JobRequest

log = logging.getLogger(__name__)

SAVED_WITHIN_MS = 3_600_000
"""A job is saved this soon after its code."""


def path_of(short_id: str) -> str:
    return f"{layout.CODE_TO_RUN}/{short_id}"


async def code_of(request: JobRequest, storage: Storage) -> str:
    """The code to run, from wherever it is."""
    if not request.code_path:
        return request.code
    return (await asyncio.to_thread(storage.read, request.code_path)).decode()


async def drop(code_path: str, storage: Storage) -> None:
    """The job has ended or was never saved. What cannot be removed now is swept later."""
    if code_path:
        try:
            await asyncio.to_thread(storage.delete, code_path)
        except OSError as error:
            log.warning("the code %s stays for now: %s", code_path, error)


async def sweep(storage: Storage, jobhistory: JobHistory, clock: Clock) -> None:
    """Remove what a crash left: the code of jobs that have ended, and of submits that were never saved."""
    for entry in await asyncio.to_thread(storage.list, layout.CODE_TO_RUN):
        try:
            job = await jobhistory.FindJob(pb.FindJobRequest(short_id=entry.name))
            needed = job.HasField("live")
        except NotFound:
            needed = clock.now_ms() - entry.modified_ms < SAVED_WITHIN_MS
        if not needed:
            await drop(path_of(entry.name), storage)
