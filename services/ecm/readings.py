"""What this node says of now, for /metrics: its disks, and the memory of its engines."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from commons.process import telemetry
from commons.storage import Storage
from services.ecm.engines import Engines

_FREE = telemetry.reading(
    "disk_free_bytes", "Room on the disk of a folder: home, or storage when it is local.", ("folder",)
)
_SIZE = telemetry.reading("disk_size_bytes", "The whole size of the disk of a folder.", ("folder",))
_MEMORY = telemetry.reading("engines_memory_bytes", "Resident memory of this node's engines and all their processes.")


async def readings(engines: Engines, home: Path, storage: Storage) -> list[telemetry.Value]:
    """Looks at disks in a thread, for one over the network may hang."""
    disks = await asyncio.to_thread(_disks, home, storage)
    return [(_MEMORY, (), engines.memory), *disks]


def _disks(home: Path, storage: Storage) -> list[telemetry.Value]:
    at_home = shutil.disk_usage(home)
    found = {"home": (at_home.free, at_home.total), "storage": storage.disk()}
    values: list[telemetry.Value] = []
    for folder, disk in found.items():
        if disk is not None:
            values += [(_FREE, (folder,), disk[0]), (_SIZE, (folder,), disk[1])]
    return values
