"""All services in one process: the embedded default.

Every hop between services is gRPC, over unix sockets in the run folder; what differs from separate processes is
settings only.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import gc
import importlib.util
import logging
import os
import signal
import sys
from pathlib import Path
from typing import IO

import uvloop
from pydantic import ValidationError

from commons.database.connections import Database
from commons.process.clock import SystemClock
from commons.process.errors import HeadgateError, Unavailable
from commons.process.ids import random_hex
from commons.process.settings import Settings
from protocol import codes
from protocol.ecm import client as ecm_client
from protocol.jobhistory import client as jobhistory_client
from protocol.manager import client as manager_client
from services import schema
from services.ecm import workdir
from services.ecm.app import Ecm
from services.engineconn import provisioning
from services.entrance.app import Entrance
from services.jobhistory.app import JobHistory
from services.manager.app import Manager

log = logging.getLogger("headgate")

LAST_SECONDS = 5.0
"""How long idle engines have to end by themselves."""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -P -m services",
        description="Run Headgate in one process. Settings are environment variables HEADGATE_*, see docs/settings.md.",
    )
    parser.add_argument("--stop-engines", action="store_true", help="at the end, stop engines with running tasks too")
    levels = ("DEBUG", "INFO", "WARNING", "ERROR")
    parser.add_argument("--log-level", default="INFO", type=str.upper, choices=levels, help="default: INFO")
    arguments = parser.parse_args()
    logging.basicConfig(level=arguments.log_level, format="%(asctime)s %(levelname)-7s %(name)s  %(message)s")
    try:
        _one_folder()
        settings = Settings()
        return uvloop.run(run(settings, stop_engines=arguments.stop_engines or settings.stop_engines))
    except ValidationError as error:
        first = error.errors()[0]
        name, value = f"HEADGATE_{str(first['loc'][-1]).upper()}", first["input"]
        shown = name if name == "HEADGATE_DATABASE" else f"{name}={value}"  # a database URL may hold a password
        print(f"headgate: {shown}: {first['msg']}; see docs/settings.md for what it takes", file=sys.stderr)
    except (HeadgateError, OSError, ValueError) as error:
        print(f"headgate: {error}", file=sys.stderr)
    return 1


async def run(settings: Settings, *, stop_engines: bool) -> int:
    """From nothing to `Headgate is ready`, until SIGINT or SIGTERM."""
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    with _take(settings.home_folder):
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
    if not stop_engines:
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
    entrance = Entrance(settings, db, clock, at["entrance"], to_jobhistory, to_manager)
    return jobhistory, manager, ecm, entrance


def _take(home: Path) -> IO[str]:
    """The home folder, readable by its owner only, and its lock: one process per home, since SQLite has one writer."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        home.chmod(0o700)
        file = (home / ".lock").open("a+")
    except OSError as error:
        what = f"cannot use HEADGATE_HOME={home}: {error.strerror}; choose a folder of your own"
        raise Unavailable(codes.SETTINGS_INVALID, what) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        what = f"process {file.read().strip() or '?'} already runs with HEADGATE_HOME={home}; stop it or choose another"
        raise Unavailable(codes.SETTINGS_INVALID, what) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def _one_folder() -> None:
    """`services`, `protocol` and `commons` are names that others own too: ours lie in one folder."""
    folders = set()
    for name in ("services", "protocol", "commons"):
        found = importlib.util.find_spec(name)
        assert found is not None and found.origin is not None
        folders.add(Path(found.origin).parent.parent)
    if len(folders) > 1:
        what = f"packages services, protocol and commons come from several folders: {', '.join(map(str, folders))}"
        raise Unavailable(codes.SETTINGS_INVALID, f"{what}; run in an environment of its own")


if __name__ == "__main__":
    sys.exit(main())
