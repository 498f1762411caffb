"""The service, which writes each SQL statement and each call between services into the file that BENCH_TRACE names."""

from __future__ import annotations

import os
import sys

from sqlalchemy import event
from sqlalchemy.engine import Engine

from commons.process import faults
from services.__main__ import main

_TRACE = open(os.environ["BENCH_TRACE"], "a", buffering=1)  # noqa: SIM115


def _statement(_connection: object, _cursor: object, statement: str, *_: object) -> None:
    if statement.startswith("BEGIN"):
        return
    _TRACE.write(f"SQL {' '.join(statement.split())}\n")


def _reached(point: str) -> None:
    when, _, method = point.partition(" /headgate.")
    if when == "before" and method:
        _TRACE.write(f"RPC {method}\n")


if __name__ == "__main__":
    event.listen(Engine, "before_cursor_execute", _statement)
    faults.reach = _reached
    sys.exit(main())
