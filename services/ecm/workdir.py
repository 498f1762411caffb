"""Folders of a node, and the environment in which engine connections start."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

# what a Python process and a JVM need; everything else, secrets above all, stays here
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "JAVA_HOME", "SSL_CERT_FILE", "SSL_CERT_DIR", "VIRTUAL_ENV")
_KEPT_PREFIXES = ("PIP_", "MAVEN_", "HEADGATE_MAVEN_", "HEADGATE_ENGINE_")
_LONGEST_FOLDER = 60

SERVICE_SOCKETS = "service-"
"""How the sockets of services begin; the others in the run folder are engines'."""
ENGINE_MARK, NODE_MARK = "HEADGATE_ENGINE_ID", "HEADGATE_ENGINE_NODE"
"""The variables by which the processes of an engine are known: which engine, and the folder of whose node."""


@dataclass(frozen=True, slots=True)
class Folders:
    """Where things lie on this node: tenants' workspaces, engine files, modules of engine kinds that are not ours."""

    workspaces: Path
    engines_home: Path
    modules: Mapping[str, str] = field(default_factory=dict)
    kept_ms: int = 7 * 86_400_000
    """An ended engine's task folders that nobody acknowledged are dropped after this long."""
    alone_seconds: float = 120.0
    """An engine connection with nothing to do and without this daemon ends after this long."""


def marks(engine_id: str, node: Path) -> dict[str, str]:
    """What tells an engine's processes, and their children, from all others of the machine."""
    return {ENGINE_MARK: engine_id, NODE_MARK: str(node)}


def environment(engine_id: str, node: Path, traceparent: str) -> dict[str, str]:
    """A cleaned environment, with the marks and the trace that goes on there, if there is one."""
    kept = {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith(_KEPT_PREFIXES)}
    trace = {"TRACEPARENT": traceparent} if traceparent else {}
    return {**kept, **trace, **marks(engine_id, node), "PYTHONUNBUFFERED": "1", "GRPC_ENABLE_FORK_SUPPORT": "0"}


def run_place(home: Path) -> Path:
    """Where the sockets of a home lie. A socket's path ends at 107 bytes, so a deep home gets a folder elsewhere."""
    folder = home / "run"
    if len(os.fsencode(folder)) <= _LONGEST_FOLDER:
        return folder
    digest = hashlib.sha256(str(home).encode()).hexdigest()[:12]
    elsewhere = tempfile.gettempdir()
    if len(os.fsencode(elsewhere)) > _LONGEST_FOLDER - 30:
        elsewhere = "/tmp"
    return Path(elsewhere) / f"headgate-{os.getuid()}-{digest}"


def run_folder(home: Path) -> Path:
    """A folder for sockets, mode 0700."""
    folder = run_place(home)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to somebody else; remove it or choose another HEADGATE_HOME")
    folder.chmod(0o700)
    return folder
