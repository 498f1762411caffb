"""SeaTunnel through REST and the SDK, on a real Zeta server: run, refused, suspended, gone on with, killed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from headgate import Job

from tests.conftest import Service, start, stop
from tests.support.jobs import eventually

COPY = """
env {{ job.mode = {mode} {more} }}
source {{ FakeSource {{ result_table_name = rows, row.num = {count}, {slow}
  schema {{ fields {{ id = bigint, name = string }} }} }} }}
sink {{ LocalFile {{ source_table_name = [rows], path = "{folder}/out", tmp_path = "{folder}/tmp"
  file_format_type = json }} }}
"""


@pytest.fixture(scope="module")
def seatunnel(tmp_path_factory: pytest.TempPathFactory, seatunnel_home: Path) -> Iterator[Service]:
    home = tmp_path_factory.mktemp("seatunnel") / "home"
    service = start(home, "--stop-engines", HEADGATE_ENGINES="seatunnel")
    yield service
    assert stop(service) == 0


def submit(service: Service, code: str, **configuration: str) -> Job:
    return service.admin.submit(code, engine="seatunnel", configuration=configuration)


def batch(folder: Path, count: int = 10) -> str:
    return COPY.format(mode="BATCH", more="", count=count, slow="", folder=folder)


def stream(folder: Path, count: int = 30) -> str:
    slow = f"split.num = {count}, split.read-interval = 300"
    return COPY.format(mode="STREAMING", more=", checkpoint.interval = 1000", count=count, slow=slow, folder=folder)


def written(folder: Path) -> int:
    return sum(len(path.read_text().splitlines()) for path in (folder / "out").rglob("*.json"))


def workspace(service: Service, name: str) -> Path:
    return service.home / "workspace" / "admin" / name


def test_a_copy_tells_its_counts(seatunnel: Service) -> None:
    folder = workspace(seatunnel, "copy")
    job = submit(seatunnel, batch(folder))
    assert job.wait(240) == "Succeed", "\n".join(job.log())
    assert written(folder) == 10
    columns = [column.name for column in job.result().columns]
    counts = [dict(zip(columns, row, strict=True)) for row in job.result().rows()]
    assert [(each["rows_read"], each["rows_written"]) for each in counts] == [("10", "10")]
    metrics = json.loads(job.history()["metrics"])["statements"]["0"]
    assert (metrics["rows_read"], metrics["rows_written"]) == (10, 10)


def test_what_is_wrong_is_said_before_anything_starts(seatunnel: Service) -> None:
    for code, said in {
        "env { job.mode = BATCH }": "sink",
        batch(Path("/x")).replace("FakeSource", "FakeSorce"): "FakeSource",
        batch(Path("/x")).replace("env {", "env {{"): "line",
    }.items():
        job = submit(seatunnel, code)
        assert job.wait(240) == "Failed" and said in job.history()["errDesc"], job.history()["errDesc"]


def test_a_stream_is_suspended_and_another_job_goes_on_with_it(seatunnel: Service) -> None:
    folder = workspace(seatunnel, "stream")
    first = submit(seatunnel, stream(folder))
    eventually(lambda: first.status() == "Running" and written(folder) > 0, "rows come", 120)
    assert first.suspend().kind == "suspend" and first.wait(60) == "Succeed"
    before = written(folder)
    second = submit(seatunnel, stream(folder), **{"headgate.resume": str(first.id)})
    eventually(lambda: written(folder) == 30, "all rows are there, none twice", 120)
    assert 0 < before < 30
    second.kill()
    assert second.wait(60) == "Cancelled" and written(folder) == 30
    first.dispose(first.savepoints()[0].id)
