"""What a job asks for of its Flink, and the labels that say so to the manager and the engine."""

from __future__ import annotations

import pytest

from commons.process.errors import Invalid
from protocol.flink.deployment import Deployment

SESSION = {"flink.deployment": "session"}


def test_a_job_that_says_nothing_gets_a_mini_one_without_labels() -> None:
    assert Deployment.of({}) == Deployment.of({"flink.taskmanager.memory": "1g"}) == Deployment()
    assert Deployment().labels() == {} and Deployment.from_labels({"kind": "flink"}) == Deployment()


def test_a_session_has_sizes_by_linkis_names() -> None:
    asked = Deployment.of(
        {
            **SESSION,
            "flink.jobmanager.memory": "1g",
            "flink.taskmanager.memory": "640",
            "flink.taskmanager.numberOfTaskSlots": "3",
            "flink.container.num": "2",
        }
    )
    assert asked == Deployment("session", 1024, 640, 3, 2)
    assert asked.labels() == {
        "deployment": "session", "jobmanager_mb": "1024", "taskmanager_mb": "640", "slots": "3", "taskmanagers": "2",
        "cores": "2", "memory": str((384 + 1024 + 2 * 640) << 20),
    }  # fmt: skip
    assert Deployment.from_labels(asked.labels()) == asked


def test_equal_needs_have_equal_labels() -> None:
    written = Deployment.of({**SESSION, "flink.taskmanager.memory": "768m", "flink.container.num": "1"})
    assert written.labels() == Deployment.of(SESSION).labels()


@pytest.mark.parametrize(
    ("key", "value", "fix"),
    [
        ("flink.deployment", "yarn", "mini, session"),
        ("flink.jobmanager.memory", "100m", "from 256m to 64g"),
        ("flink.taskmanager.memory", "much", "such as 1024, 1024m or 1g"),
        ("flink.taskmanager.memory", "300g", "from 256m to 256g"),
        ("flink.taskmanager.numberOfTaskSlots", "0", "from 1 to 64"),
        ("flink.container.num", "33", "from 1 to 32"),
        ("flink.container.num", "²", "a whole number"),
    ],
)
def test_what_cannot_be_is_refused_with_the_field_and_the_fix(key: str, value: str, fix: str) -> None:
    with pytest.raises(Invalid) as refused:
        Deployment.of(SESSION | {key: value})
    assert refused.value.field == f"params.configuration.runtime.{key}"
    assert fix in refused.value.message and value in refused.value.message
