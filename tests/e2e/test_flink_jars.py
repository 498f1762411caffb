"""A packaged job through REST: its jar pushed, run in a Flink of several processes, suspended and gone on from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from headgate import HeadgateError

from tests.conftest import Service
from tests.support.flink import jar
from tests.support.jobs import eventually

SIZES = {
    "flink.deployment": "session", "flink.jobmanager.memory": "256m", "flink.taskmanager.memory": "320m",
}  # fmt: skip


def counted(lines: list[str]) -> list[int]:
    return [int(line.split(" counted ")[1].split()[0]) for line in lines if " counted " in line]


def test_a_jar_job_from_push_to_resume(service: Service, tmp_path: Path) -> None:
    client = service.client()
    client.push_artifact(jar(tmp_path, "1.20.5", main_class="headgate.tests.CountJob"), "count-job")
    code = json.dumps({"artifact": "count-job@v000001", "arguments": ["delay=10"]})
    job = client.submit(code, engine="flink-1.20.5", run_type="jar", configuration=SIZES)
    eventually(lambda: len(counted(job.log())) > 20, "it counts", 120)
    assert job.status() == "Running" and job.progress().steps
    job.suspend()
    assert job.wait(60) == "Succeed", job.log()
    again = client.submit(
        code, engine="flink-1.20.5", run_type="jar",
        configuration={**SIZES, "headgate.resume": str(job.id)},
    )  # fmt: skip
    eventually(lambda: bool(counted(again.log())), "it counts again", 120)
    assert counted(again.log())[0] >= 10, "it goes on where it was"
    again.kill()
    assert again.wait(60) == "Cancelled"


@pytest.mark.parametrize(
    ("code", "words"), [('{"artifact": "no-such-jar"}', "no-such-jar"), ('{"artifcat": "a"}', "did you mean artifact?")]
)
def test_a_jar_job_that_cannot_be_is_refused(service: Service, code: str, words: str) -> None:
    with pytest.raises(HeadgateError) as refused:
        service.client().submit(code, engine="flink-1.20.5", run_type="jar")
    assert words in str(refused.value)
