"""Code too long for a row, as it runs: a file that holds the job's secrets, so it lies there only until the end."""

from __future__ import annotations

import asyncio
import logging

from commons.storage import Storage
from protocol import layout
from services.entrance.intake import JobRequest

log = logging.getLogger(__name__)


async def code_of(short_id: str, request: JobRequest, storage: Storage) -> str:
    """The code to run, from wherever it is."""
    if request.code:
        return request.code
    return (await asyncio.to_thread(storage.read, layout.code_to_run(short_id))).decode()


async def drop(short_id: str, storage: Storage) -> None:
    """The job has ended or was never saved; harmless when there is none. What stays now, retention removes."""
    try:
        await asyncio.to_thread(storage.delete, layout.code_to_run(short_id))
    except OSError as error:
        log.warning("the code of %s stays for now: %s", short_id, error)
