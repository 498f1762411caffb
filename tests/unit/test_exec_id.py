"""execIDs: built as Linkis builds them, parsed whatever the names hold, garbage refused."""

from __future__ import annotations

import pytest

from commons.process.errors import Invalid
from commons.process.ids import time_ordered
from services.entrance.wire import exec_id
from services.entrance.wire.exec_id import JobId, ShortId


def test_an_exec_id_has_linkis_form() -> None:
    assert exec_id.build("127.0.0.1:9104", "IDE_hadoop_spark_0") == (
        "exec_id018014linkis-cg-entrance127.0.0.1:9104IDE_hadoop_spark_0"
    )


def test_it_parses_back_with_underscores_in_the_names() -> None:
    short = exec_id.short_id("my_app", "a_b", "flink", "1gfdpm5q4sn4")
    assert exec_id.parse_job_key(exec_id.build("h:1", short)) == ShortId(short, "h:1")


def test_a_number_is_a_task_id() -> None:
    assert exec_id.parse_job_key("71") == JobId(71)


@pytest.mark.parametrize("text", ["", "-1", "1e3", "exec_id", "exec_id018014x", "٣", "9" * 30, "exec_id999999short"])
def test_garbage_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        exec_id.parse_job_key(text)


def test_the_longest_names_fit_the_column() -> None:
    assert len(exec_id.short_id("c" * 20, "u" * 20, "seatunnel", time_ordered())) == 64


def test_ids_are_ordered_and_never_repeat() -> None:
    made = [time_ordered() for _ in range(5000)]
    assert made == sorted(made) and len(set(made)) == len(made)
