"""Task folders: reads events and log, publishes results, and has the last word for tasks whose process is gone."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import BinaryIO

from google.protobuf.json_format import MessageToJson, Parse

from commons.lines import Lines
from commons.process import disk
from commons.process.clock import SystemClock, log_time
from commons.process.errors import Conflict
from commons.storage import Storage
from protocol import codes, layout, names
from protocol.engineconn.v1 import engineconn_pb2 as pb

SOON_SECONDS, LATER_SECONDS = 0.002, 0.05
SILENCE_SHARE = 0.1
"""A silent task is looked at again after this share of its silence: soon while it talks, seldom when it does not."""
PUBLISH_SECONDS = 0.5
EVENTS_AT_ONCE = 500
LONGEST_LINE_BYTES = 1 << 17


class TaskFolder:
    """One task's folder; `gone` gives the reason once its engine connection is gone, until then None."""

    def __init__(self, folder: Path, storage: Storage, location: str, gone: Callable[[], str | None]) -> None:
        self.folder = folder
        self._storage = storage
        self._location = location
        self._gone = gone
        self._published: set[str] = set()
        self._folders: dict[str, int] = {}  # when each result set's folder had changed when it was looked at
        self._publishing = asyncio.Lock()
        self._log = Lines(lambda: (folder / layout.LOG).open("rb"))

    async def watch(self, after: int) -> AsyncIterator[list[pb.TaskEvent]]:
        """Events with numbers above `after`, in batches, as they come; the last is Ended, after all is published.

        Raises Conflict (ENGINE_GONE) when the engine ended before the task began.
        """
        offset, number = 0, 0
        published = heard = time.monotonic()
        while True:
            if time.monotonic() - published >= PUBLISH_SECONDS:
                await self.publish(whole=False)
                published = time.monotonic()
            events, offset = _read_events(self.folder / layout.EVENTS, offset)
            if not events:
                reason = self._gone()
                if reason is not None and not _read_events(self.folder / layout.EVENTS, offset)[0]:
                    if number == 0:  # the first event comes before the engine is asked for anything
                        raise Conflict(codes.ENGINE_GONE, f"it ended before it began with the task: {reason}")
                    self._last_word(number, offset, f"the engine ended while the job ran: {reason}")
                    continue
                silent = time.monotonic() - heard
                await asyncio.sleep(min(max(silent * SILENCE_SHARE, SOON_SECONDS), LATER_SECONDS))
                continue
            heard = time.monotonic()
            number = events[-1].number
            ended = events[-1].HasField("ended")
            if ended:
                await self.publish(whole=True)
            new = [event for event in events if event.number > after]
            if new:
                yield new
            if ended:
                return

    async def publish(self, *, whole: bool) -> None:
        """Copy closed parts that are not there yet to the storage root; of a `whole` task, all of them and the log."""
        async with self._publishing:
            await asyncio.to_thread(self._publish, whole)

    def _publish(self, whole: bool) -> None:
        for folder in sorted((self.folder / layout.RESULTS).glob("*")):
            changed = folder.stat().st_mtime_ns
            if whole or self._folders.get(folder.name) != changed:
                # a result set without its schema cannot be read, so the schema goes first
                for path in sorted(folder.glob("*.arrow"), key=lambda path: (path.name != layout.SCHEMA, path.name)):
                    self._publish_file(path)
                self._folders[folder.name] = changed
        if whole:
            self._publish_file(self.folder / layout.LOG)

    def _publish_file(self, path: Path) -> None:
        name = str(path.relative_to(self.folder))
        if name not in self._published:
            self._storage.publish(f"{self._location}/{name}", str(path))
            self._published.add(name)

    def read_log(self, from_line: int, max_lines: int) -> list[str]:
        """Lines from `from_line` (0 is the first), at most `max_lines` and some MiB; only whole lines."""
        try:
            return self._log.read(from_line, max_lines)
        except FileNotFoundError:
            return []

    def _last_word(self, number: int, offset: int, reason: str) -> None:
        with disk.told(self.folder):
            self._write_last_word(number, offset, reason)

    def _write_last_word(self, number: int, offset: int, reason: str) -> None:
        now = SystemClock().now_ms()
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / layout.EVENTS).open("ab") as events:
            events.truncate(offset)  # a line that the crash cut short
        with (self.folder / layout.LOG).open("a+b") as log:
            last = _cut_short_line(log)
            words = [f"ERROR {reason}", f"INFO {names.ENDED_BADLY.format('Failed')}"]
            if last == words[-1]:  # an earlier try came as far as this, and then there was no room or no daemon
                words = []
            elif last == words[0]:
                words = words[1:]
            for text in words:
                log.write(f"{log_time(now)} {text}\n".encode())
            log.seek(0)
            lines = sum(1 for _ in log)
        ended = pb.Ended(status="Failed", code=codes.ENGINE_LOST, message=reason)
        with (self.folder / layout.EVENTS).open("a", encoding="utf-8") as file:
            for event in (pb.TaskEvent(log_up_to=pb.LogUpTo(lines=lines)), pb.TaskEvent(ended=ended)):
                number += 1
                event.number, event.at_ms = number, now
                file.write(MessageToJson(event, indent=None, preserving_proto_field_name=True) + "\n")


def _cut_short_line(log: BinaryIO) -> str:
    """Cut the end of a log back to its last whole line, and return that without its time."""
    size = log.seek(0, os.SEEK_END)
    log.seek(max(0, size - LONGEST_LINE_BYTES))
    tail = log.read()
    log.truncate(size - len(tail) + tail.rfind(b"\n") + 1)
    last = tail[: tail.rfind(b"\n") + 1].decode("utf-8", "replace").splitlines()[-1:]
    return last[0].partition(" ")[2].partition(" ")[2] if last else ""


def _read_events(path: Path, offset: int) -> tuple[list[pb.TaskEvent], int]:
    """Whole events from `offset` on, and the offset behind them. A line cut by a crash is not one."""
    events: list[pb.TaskEvent] = []
    try:
        with path.open("rb") as file:
            file.seek(offset)
            while len(events) < EVENTS_AT_ONCE and (raw := file.readline()).endswith(b"\n"):
                events.append(Parse(raw, pb.TaskEvent()))
                offset += len(raw)
    except FileNotFoundError:
        pass
    return events, offset
