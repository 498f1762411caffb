"""A task's numbered events and its log, as files of its folder. Written here, read by the ECM.

Here the task's secrets are masked: what others record, publish and show of a task comes from these files.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

from google.protobuf.json_format import MessageToJson, Parse

from commons.process.clock import SystemClock, log_time
from commons.process.masking import NONE, Secrets
from protocol import layout
from protocol.engineconn.v1 import engineconn_pb2 as pb

LOG_UP_TO_SECONDS = 0.1
LOG_UP_TO_LINES = 100
LONGEST_LINE = 16_000

_UNSAFE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]")


class Journal:
    """Appends to `events` and `log`; each event is on disk before the call returns. Numbers run from 1.

    In a folder that has some, it goes on behind them: `written` are those events, `marks` how far the log is in the
    engine's own. Lines that no event told of are dropped: they come again.
    """

    def __init__(self, folder: Path, secrets: Secrets = NONE) -> None:
        self._secrets = secrets
        folder.mkdir(parents=True, exist_ok=True)
        self.written = _whole_events(folder / layout.EVENTS)
        told = next((each.log_up_to for each in reversed(self.written) if each.HasField("log_up_to")), pb.LogUpTo())
        self.marks = dict(told.marks)
        _cut(folder / layout.LOG, told.lines)
        self._events = (folder / layout.EVENTS).open("a", encoding="utf-8", buffering=1)
        self._log = (folder / layout.LOG).open("a", encoding="utf-8", errors="replace")
        self._number = len(self.written)
        self._lines = self._told_lines = told.lines
        self._told_at = time.monotonic()
        self._clock = SystemClock()

    def event(self, event: pb.TaskEvent) -> None:
        """Append an event; number and time are set here. Log lines written before it are told before it."""
        if event.WhichOneof("what") != "log_up_to":
            self.tell_lines()
        self._number += 1
        self._mask(event)
        event.number, event.at_ms = self._number, self._clock.now_ms()
        self._events.write(MessageToJson(event, indent=None, preserving_proto_field_name=True) + "\n")

    def story(self, lines: Sequence[str]) -> None:
        """The job's story before the task: rendered lines, the first of the log."""
        for line in lines:
            self._append(line)

    def line(self, level: str, text: str, at_ms: int | None = None, mark: tuple[str, int] | None = None) -> None:
        """One or more lines of the log; a text of several lines gives as many, each with time and level."""
        stamp = log_time(at_ms if at_ms is not None else self._clock.now_ms())
        for part in text.split("\n"):
            self._append(f"{stamp} {level} {part.rstrip()}")
        if mark is not None:
            self.marks[mark[0]] = mark[1]
        if self._lines - self._told_lines >= LOG_UP_TO_LINES or time.monotonic() - self._told_at >= LOG_UP_TO_SECONDS:
            self.tell_lines()

    def tell_lines(self) -> None:
        """Say how far the log goes, if it has grown."""
        if self._lines == self._told_lines:
            return
        self._log.flush()
        self._told_lines, self._told_at = self._lines, time.monotonic()
        self.event(pb.TaskEvent(log_up_to=pb.LogUpTo(lines=self._lines, marks=self.marks)))

    def _append(self, line: str) -> None:
        safe = _UNSAFE.sub(" ", self._secrets.mask(line))  # before it is cut: a part of a secret is not known as one
        self._log.write((safe if len(safe) <= LONGEST_LINE else safe[:LONGEST_LINE] + " … (cut)") + "\n")
        self._lines += 1

    def _mask(self, event: pb.TaskEvent) -> None:
        match event.WhichOneof("what"):
            case "statement_started":
                event.statement_started.text = self._secrets.mask(event.statement_started.text)
            case "progress":
                for vertex in event.progress.vertices:  # Flink names them after the plan
                    vertex.name = self._secrets.mask(vertex.name)
            case "ended":
                event.ended.message = self._secrets.mask(event.ended.message)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._log.close()
        self._events.close()


def _whole_events(path: Path) -> list[pb.TaskEvent]:
    """The events that an earlier process wrote; one that its death cut short is removed."""
    if not path.exists():
        return []
    whole = [line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    os.truncate(path, sum(map(len, whole)))
    return [Parse(line, pb.TaskEvent()) for line in whole]


def _cut(path: Path, lines: int) -> None:
    """Keep so many lines of the file, if there is one."""
    if path.exists():
        with path.open("r+b") as file:
            file.truncate(sum(map(len, islice(file, lines))))
