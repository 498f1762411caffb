"""What an engine connection left in its folder: how far it is, and why it ended."""

from __future__ import annotations

from pathlib import Path

from google.protobuf.json_format import Parse, ParseError

from commons.process import disk
from commons.process.masking import masked
from protocol.engineconn.v1.engineconn_pb2 import ConnectionState
from services.ecm import process

LAST_LINES = 3
STATE = "connection.json"


def state(folder: Path) -> ConnectionState | None:
    """What it said last; None before its first word."""
    try:
        return Parse((folder / STATE).read_text(), ConnectionState())
    except (OSError, ParseError):
        return None


def failed(folder: Path) -> bool:
    """Whether it ended by a fault of its own, as far as its folder tells."""
    said = state(folder)
    return (said is not None and said.stage == ConnectionState.FAILED) or bool(process.exit_code(folder))


def reason(folder: Path, boot: str) -> str:
    """Why it ended, in words for users; it was spawned in `boot`."""
    said = state(folder)
    if said is not None and said.stage == ConnectionState.FAILED:
        return said.detail
    code = process.exit_code(folder)
    if code is None and boot != process.boot_id():
        return "the machine was restarted"
    how = "its process was killed" if code is None else f"its process ended with exit code {code}"
    if not disk.has_room(folder):
        return f"{how}: {disk.no_room(folder)}"
    last = _last_lines(folder / "stderr")
    return f"{how}: {last}" if last else how


def _last_lines(path: Path) -> str:
    try:
        lines = path.read_bytes()[-4096:].decode("utf-8", "replace").strip().splitlines()
    except OSError:
        return ""
    return masked(" / ".join(line.strip() for line in lines[-LAST_LINES:]))
