"""SeaTunnel without Headgate: a server with the same command and files, driven through its REST alone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from services.engineconn.flink.cluster import free_port
from services.engineconn.seatunnel import files, launch
from tests.bench.clusters import ZetaCluster, until
from tests.support.seatunnel import spec


@contextlib.contextmanager
def straight(folder: Path) -> Iterator[ZetaCluster]:
    """Its REST, once it takes jobs."""
    told, port = spec(folder), free_port()
    found = asyncio.run(files.find(told, lambda line: None))
    for made in (told.workspace, launch.checkpoints(told), folder / "config", folder / "tmp", folder / "logs"):
        made.mkdir(parents=True)
    for name, text in launch.config(told, folder, port).items():
        (folder / "config" / name).write_text(text)
    with (folder / launch.OUT_FILE).open("wb") as output:
        process = subprocess.Popen(
            launch.argv(told, found, folder), cwd=told.workspace, env={**os.environ, "SEATUNNEL_HOME": str(found.home)},
            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        with contextlib.closing(ZetaCluster(port)) as server:
            until(server.ready, "the server takes jobs")
            yield server
    finally:
        process.kill()
        process.wait()
