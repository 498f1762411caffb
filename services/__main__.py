"""All services in one process: the embedded default; or a node-side tool, when the command line names one.

Every hop between services is gRPC, over unix sockets in the run folder; what differs from separate processes is
settings only.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import sys
from pathlib import Path

import uvloop

from commons.database.connections import Database
from commons.process import logs, telemetry
from commons.process.clock import SystemClock
from commons.process.ids import random_hex
from commons.process.settings import STOPPING, Settings, complaint
from commons.process.telemetry import Scrape
from protocol.ecm import client as ecm_client
from protocol.jobhistory import client as jobhistory_client
from protocol.manager import client as manager_client
from services import home, schema
from services.ecm import workdir
from services.ecm.app import Ecm
from services.engineconn import provisioning
from services.entrance.app import Entrance
from services.jobhistory.app import JobHistory
from services.manager.app import Manager
from services.tools import command

log = logging.getLogger("headgate")

LAST_SECONDS = 5.0
"""How long idle engines have to end by themselves."""


def main() -> int:
    arguments = command.parse()
    if arguments.tool is not None:
        return int(arguments.run(arguments))
    logs.set_up(arguments.log_level)
    try:
        home.one_folder()
        settings = Settings()
        with telemetry.traces_exported():
            return uvloop.run(run(settings, stop_engines=arguments.stop_engines or settings.stop_engines))
    except STOPPING as error:
        print(complaint(error), file=sys.stderr)
        return 1


async def run(settings: Settings, *, stop_engines: bool) -> int:
    """From nothing to `Headgate is ready`, until SIGINT or SIGTERM."""
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    with home.take(settings.home_folder):
        sockets = workdir.run_folder(settings.home_folder)
        for stale in sockets.glob(f"{workdir.SERVICE_SOCKETS}*.sock"):
            stale.unlink()
        engines_go_on = False
        try:
            engines_go_on = await _serve(settings, sockets, stopping, stop_engines=stop_engines)
        finally:
            if not engines_go_on:  # one that still starts has no socket there yet
                with contextlib.suppress(OSError):
                    sockets.rmdir()
    return 0


async def _serve(settings: Settings, sockets: Path, stopping: asyncio.Event, *, stop_engines: bool) -> bool:
    """Whether engines go on without the service."""
    db = await Database.open(settings.database_url)
    await schema.create(db, random_hex(64))
    await asyncio.to_thread(provisioning.sweep, settings.engines_folder)
    jobhistory, manager, ecm, entrance = _compose(settings, db, sockets)
    await jobhistory.start()
    await manager.start()
    await ecm.start()
    await entrance.start()
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
    print(f"Headgate is ready: {entrance.url}", flush=True)
    await stopping.wait()
    log.info("stopping; %s", "all engines end" if stop_engines else "engines with a running task go on")
    await entrance.stop()
    if stop_engines:
        await manager.start_no_engines()
    else:
        await manager.stop_idle()
        await ecm.stopped(LAST_SECONDS)
    engines_go_on = await ecm.stop(end_engines=stop_engines)
    await manager.stop()
    await jobhistory.stop()
    await db.close()
    return engines_go_on


def _compose(settings: Settings, db: Database, sockets: Path) -> tuple[JobHistory, Manager, Ecm, Entrance]:
    clock = SystemClock()
    names = ("jobhistory", "manager", "ecm", "entrance")
    at = {name: f"unix:{sockets}/{workdir.SERVICE_SOCKETS}{name}.sock" for name in names}
    jobhistory = JobHistory(settings, db, clock, at["jobhistory"])
    to_jobhistory = jobhistory_client.connect(at["jobhistory"])
    to_manager = manager_client.connect(at["manager"])
    manager = Manager(settings, db, clock, at["manager"], ecm_client.connect, to_jobhistory)
    ecm = Ecm(settings, at["ecm"], to_manager, sockets)
    scrape = Scrape({"jobhistory": jobhistory.readings, "manager": manager.readings, "ecm": ecm.readings})
    entrance = Entrance(settings, db, clock, at["entrance"], to_jobhistory, to_manager, scrape)
    return jobhistory, manager, ecm, entrance


if __name__ == "__main__":
    sys.exit(main())
