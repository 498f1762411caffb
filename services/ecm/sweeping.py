"""What a crash left on this node: starts that were interrupted, processes that no engine knows, stale sockets.

Only what is provably this node's is touched: processes by the marks in their environment, never by a number alone.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from services.ecm import connection, process, workdir
from services.ecm.ledger import EngineEntry, Ledger, Stage

log = logging.getLogger(__name__)


def sweep(ledger: Ledger, sockets: Path) -> None:
    """At start: the ledger then holds engines that had been ready or have failed; the manager asks for the others."""
    for entry in list(ledger.engines.values()):
        if _interrupted(ledger, entry):
            log.info("engine %s: its start was interrupted", entry.engine_id)
            undo(ledger, entry)
    living = {entry.engine_id for entry in ledger.engines.values() if entry.stage is not Stage.ENDED}
    for engine_id in process.marked(workdir.ENGINE_MARK, (workdir.NODE_MARK, str(ledger.home))) - living:
        log.warning("processes of engine %s, which does not run here, are ended", engine_id)
        process.kill_marked(workdir.marks(engine_id, ledger.home))
    for socket in sockets.glob("*.sock"):
        if socket.stem not in living and not socket.stem.startswith(workdir.SERVICE_SOCKETS):
            socket.unlink(missing_ok=True)


def undo(ledger: Ledger, entry: EngineEntry) -> None:
    """Make it as if the engine had never been asked for. No task has come to it."""
    process.kill_marked(workdir.marks(entry.engine_id, ledger.home))
    shutil.rmtree(ledger.folder(entry.engine_id), ignore_errors=True)
    ledger.forget(entry.engine_id)


def _interrupted(ledger: Ledger, entry: EngineEntry) -> bool:
    """Whether it never was ready, and did not fail either. One with a task had been: its next connection starts."""
    if entry.tasks:
        return False
    if entry.stage is Stage.CREATED:  # it may have been spawned, although that was not written down
        return True
    alive = process.Identity(entry.pid, entry.started, entry.boot).alive()
    return entry.stage is Stage.SPAWNED and not alive and not connection.failed(ledger.folder(entry.engine_id))
