"""The transition tables: ended is final, nothing is reached twice."""

from __future__ import annotations

import pytest

from protocol.states.engine import ENGINE, EngineStatus
from protocol.states.job import JOB, JobStatus
from protocol.states.node import NODE, NodeStatus
from protocol.states.task import TASK, TaskStatus

ENDED = {JobStatus.SUCCEED, JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.TIMEOUT}


@pytest.mark.parametrize("status", list(JobStatus))
def test_exactly_the_ended_states_of_a_job_are_final(status: JobStatus) -> None:
    assert JOB.final(status) == (status in ENDED)


def test_a_job_succeeds_only_from_running() -> None:
    assert JOB.sources(JobStatus.SUCCEED) == {JobStatus.RUNNING}


def test_every_open_job_can_be_killed() -> None:
    assert JOB.sources(JobStatus.CANCELLED) == set(JobStatus) - ENDED


def test_an_ended_engine_stays_ended() -> None:
    assert ENGINE.final(EngineStatus.ENDED)
    assert not ENGINE.allowed(EngineStatus.ENDED, EngineStatus.READY)


def test_a_lost_node_may_come_back() -> None:
    assert NODE.allowed(NodeStatus.LOST, NodeStatus.ALIVE)


def test_a_task_ends_once() -> None:
    assert all(TASK.final(status) for status in TaskStatus if status is not TaskStatus.RUNNING)
