"""Engines at work in tests: all events of a task, checked for what holds for every task, and the processes behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import psutil
import pyarrow as pa

from services.engineconn.engine import (
    Engine,
    Event,
    Outcome,
    Progress,
    ResultOpened,
    Rows,
    StatementEnded,
    StatementStarted,
    Task,
    TaskEnded,
)


async def collect(
    engine: Engine, task: Task, seen: Callable[[Event], None] = lambda event: None, seconds: float = 60
) -> list[Event]:
    """All events of a task, which are checked for what holds for every task of every engine."""
    events: list[Event] = []
    async with asyncio.timeout(seconds):
        async for event in engine.run(task):
            events.append(event)
            seen(event)
    check(events)
    return events


def check(events: list[Event]) -> None:
    running: int | None = None
    schema: pa.Schema | None = None
    fraction = 0.0
    *before, last = events
    assert isinstance(last, TaskEnded) and not any(isinstance(event, TaskEnded) for event in before)
    for event in before:
        match event:
            case StatementStarted(statement, statements):
                assert running is None and 0 <= statement < statements
                running, schema = statement, None
            case StatementEnded(statement):
                assert statement == running
                running = None
            case ResultOpened(statement, opened_schema):
                assert statement == running
                schema = opened_schema
            case Rows(batch):
                assert running is not None and schema is not None and batch.schema.equals(schema, check_metadata=True)
            case Progress(now):
                assert fraction <= now <= 1.0
                fraction = now
    assert running is None, "a statement that began has not ended"
    assert "\n" not in last.message and bool(last.message) == (last.outcome is not Outcome.SUCCEED)


def outcomes(events: list[Event]) -> list[Outcome]:
    """Of each statement, then of the task."""
    return [event.outcome for event in events if isinstance(event, StatementEnded | TaskEnded)]


def rows(events: list[Event]) -> list[dict[str, object]]:
    return [row for event in events if isinstance(event, Rows) for row in event.batch.to_pylist()]


def processes(folder: Path) -> list[psutil.Process]:
    """Who works in a folder: every engine starts its processes in the workspace."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(folder):
                found.append(process)
        except psutil.Error:
            continue
    return found
