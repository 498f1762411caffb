"""What a submit becomes: the labels of the engine that may run it."""

from __future__ import annotations

from pathlib import Path

import pytest

from commons.process.errors import Invalid, Refused
from commons.process.settings import Settings
from services.entrance.intake import Intake, JobRequest
from services.entrance.users import Asker
from services.entrance.wire.jobs import Submit


def accept(home: Path, configuration: dict[str, str], code: str = "SELECT 1", run_type: str = "sql") -> JobRequest:
    intake = Intake(Settings(home=home))
    submit = Submit(code, run_type, "flink-1.20.5", "alice", "IDE", configuration=configuration)
    return intake.accept(submit, Asker("alice", is_admin=True), 0)


def test_a_job_asks_for_a_flink_of_its_size(tmp_path: Path) -> None:
    session = accept(tmp_path, {"flink.deployment": "session", "flink.container.num": "2"})
    labels = dict(session.labels(1).values)
    assert (labels["kind"], labels["version"]) == ("flink", "1.20.5")
    assert (labels["deployment"], labels["taskmanagers"], labels["memory"]) == ("session", "2", str(2432 << 20))
    assert JobRequest.from_json(session.to_json()).labels(1) == session.labels(1)
    assert dict(accept(tmp_path, {}).labels(1).values) == {"kind": "flink", "version": "1.20.5"}


def test_a_size_that_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as refused:
        accept(tmp_path, {"flink.deployment": "session", "flink.container.num": "many"})
    assert refused.value.field == "params.configuration.runtime.flink.container.num"


def test_a_jar_job_is_checked_before_it_is_accepted(tmp_path: Path) -> None:
    request = accept(tmp_path, {"flink.app.main.class.jar": "counts"}, '{"entryClass": "a.B"}', "jar")
    assert (request.run_type, request.kind) == ("jar", "flink")
    with pytest.raises(Invalid) as refused:
        accept(tmp_path, {}, '{"artifact": "counts", "argumets": []}', "jar")
    assert (refused.value.field, "arguments" in refused.value.message) == ("executionContent.code.argumets", True)
    with pytest.raises(Invalid) as refused:
        accept(tmp_path, {"flink.restart": "perhaps"})
    assert refused.value.field == "params.configuration.runtime.flink.restart"


@pytest.mark.parametrize(
    ("run_type", "code", "configuration", "field"),
    [
        ("jar", '{"artifact": "counts"}', {}, "executionContent.runType"),
        ("sql", "SELECT 1", {"headgate.jars": "udfs"}, "params.configuration.runtime.headgate.jars"),
    ],
)
def test_who_may_bring_jars(
    tmp_path: Path, run_type: str, code: str, configuration: dict[str, str], field: str
) -> None:
    submit = Submit(code, run_type, "flink", "ben", "IDE", configuration=configuration)
    for users, is_admin, may in (
        ("", False, False), ("ann", False, False), ("ann, ben", False, True), ("*", False, True), ("", True, True)
    ):  # fmt: skip
        intake = Intake(Settings(home=tmp_path, jar_users=users))
        if may:
            assert intake.accept(submit, Asker("ben", is_admin), 0).run_type == run_type
            continue
        with pytest.raises(Refused, match="HEADGATE_JAR_USERS") as refused:
            intake.accept(submit, Asker("ben", is_admin), 0)
        assert refused.value.field == field
