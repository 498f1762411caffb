"""An engine connection: one process that owns one engine. Spawned by the ECM; not started by hand.

It imports everything at start, since it may outlive an upgrade of the files it came from.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

from google.protobuf.json_format import MessageToJson

from commons.calls import rpc
from commons.process import logs, telemetry
from commons.process.errors import HeadgateError
from commons.process.masking import masked
from protocol.ecm import client as ecm_client
from protocol.ecm.v1 import ecm_pb2
from protocol.engineconn import client
from protocol.engineconn.v1 import engineconn_pb2 as pb
from protocol.engineconn.v1 import engineconn_pb2_grpc
from services.engineconn import usage
from services.engineconn.engine import Adopts, Engine, EngineSpec
from services.engineconn.rpc import EngineConnServicer

log = logging.getLogger("engineconn")

USAGE_SECONDS = 5.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m services.engineconn", description=__doc__)
    parser.add_argument("--spec", type=Path, required=True, help="JSON file the ECM wrote: what to open, and where")
    folder: Path = parser.parse_args().spec.parent
    logs.set_up("INFO")
    return asyncio.run(_run(folder))


async def _run(folder: Path) -> int:
    return await Connection(folder, json.loads((folder / "spec.json").read_text())).run()


class Connection:
    """From the spec to the end of the process."""

    def __init__(self, folder: Path, spec: dict[str, object]) -> None:
        self._folder = folder
        self._socket = str(spec.pop("socket"))
        self._ecm = ecm_client.connect(str(spec.pop("ecm_address")))
        self._module = str(spec.pop("module"))
        self._alone_seconds = float(str(spec.pop("alone_seconds")))
        for name in ("workspace", "engines_home", "state"):
            spec[name] = Path(str(spec[name]))
        self._spec = EngineSpec(**spec)  # type: ignore[arg-type]  # the ECM wrote the very fields
        self._stop = asyncio.Event()
        self._state = pb.ConnectionState(pid=os.getpid())

    async def run(self) -> int:
        """The exit code: 0 when asked to end, 1 when the engine did not open or died."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        engine = cast(Callable[[], Engine], importlib.import_module(self._module).create)()
        with telemetry.continued(os.environ.pop("TRACEPARENT", "")):
            opening = asyncio.create_task(self._open(engine))
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait({opening, stopping}, return_when=asyncio.FIRST_COMPLETED)
        try:
            if not opening.done():
                opening.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await opening
                return 0
            return await self._serve(engine, stopping) if opening.result() else 1
        finally:
            await engine.close()

    async def _open(self, engine: Engine) -> bool:
        self._say(pb.ConnectionState.OPENING, "opening")
        workdir = self._folder / "work"
        workdir.mkdir(exist_ok=True)
        try:
            await engine.open(self._spec, workdir, lambda line: self._say(pb.ConnectionState.OPENING, line))
        except HeadgateError as error:
            self._say(pb.ConnectionState.FAILED, error.message)
            return False
        except Exception as error:
            log.exception("the engine did not open")
            self._say(pb.ConnectionState.FAILED, f"{type(error).__name__}: {error}")
            return False
        return True

    async def _serve(self, engine: Engine, stopping: asyncio.Task[bool]) -> int:
        servicer = EngineConnServicer(engine, self._folder / "tasks", self._stop.set)
        server = rpc.Server(f"unix:{self._socket}")
        server.add(engineconn_pb2_grpc.add_EngineConnServicer_to_server, servicer, client.NAME)
        await server.start()
        self._state.adopts = isinstance(engine, Adopts)
        if self._state.adopts:
            servicer.adopt()
        self._say(pb.ConnectionState.READY, "ready")
        dying = asyncio.ensure_future(engine.died())
        reporting = asyncio.create_task(self._report(servicer))
        await asyncio.wait({stopping, dying, reporting}, return_when=asyncio.FIRST_COMPLETED)
        died = dying.done() and not stopping.done()
        if reporting.done():
            reporting.result()  # it ends only when nobody needs this engine any more, or because it is broken
        if servicer.running is not None and not servicer.running.done():
            if not died:
                await servicer.stop()
            await asyncio.wait({servicer.running}, timeout=8.0)
        reporting.cancel()
        dying.cancel()
        await server.stop()
        if died:
            log.error("the engine died: %s", dying.result())
        return 1 if died or servicer.failed else 0

    async def _report(self, servicer: EngineConnServicer) -> None:
        """Tell the ECM what is used; return when it has not answered for long and no task runs."""
        heard = time.monotonic()
        while True:
            used = usage.of_session(os.getsid(0))
            try:
                await self._ecm.ReportEngineResourceUsage(
                    ecm_pb2.ResourceUsage(
                        engine_id=self._spec.engine_id, memory=used.memory, cpu_seconds=used.cpu_seconds
                    )
                )
                heard = time.monotonic()
            except HeadgateError:
                busy = servicer.running is not None and not servicer.running.done()
                if not busy and time.monotonic() - heard > self._alone_seconds:
                    log.warning("no ECM for %s s and nothing to do: closing", self._alone_seconds)
                    return
            await asyncio.sleep(min(USAGE_SECONDS, self._alone_seconds / 2))

    def _say(self, stage: pb.ConnectionState.Stage.ValueType, detail: str) -> None:
        self._state.stage, self._state.detail = stage, masked(detail)
        temporary = self._folder / ".connection"
        temporary.write_text(MessageToJson(self._state))
        temporary.rename(self._folder / "connection.json")


if __name__ == "__main__":
    sys.exit(main())
