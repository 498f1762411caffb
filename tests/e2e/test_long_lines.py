"""A line of ten million characters: the log, its streams and the command survive it, and the service's memory stays."""

from __future__ import annotations

import json

import httpx2
import psutil
import pytest
from headgate import Job

from tests.conftest import Service
from tests.e2e.conftest import Headgate
from tests.support.jobs import run
from tests.support.rest import PREFIX, Rest

LENGTH = 10_000_000
LONGEST_SHOWN = 16_100
MOST_GROWTH = 150 * 1024 * 1024


@pytest.fixture(scope="module")
def grown(service: Service) -> int:
    """The service's memory before the job."""
    return psutil.Process(service.process.pid).memory_info().rss


@pytest.fixture(scope="module")
def long(service: Service, grown: int) -> Job:
    line = f"head -c {LENGTH} /dev/zero | tr '\\0' x"
    return run(service, f"echo before >&2; {line} >&2; echo >&2; echo after >&2; exit 7", "Failed", engine="shell-1")


def check(lines: list[str]) -> None:
    """What was said before and after is there; of the long line its beginning, and that it is cut."""
    texts = [line.partition(" WARN ")[2] for line in lines if " WARN " in line]
    assert (texts[0], texts[-1]) == ("before", "after")
    assert texts[1].startswith("xxx") and texts[1].endswith("… (cut)")
    assert max(map(len, lines)) <= LONGEST_SHOWN and sum(map(len, lines)) < 1_000_000


def test_the_log_is_read_by_every_way(rest: Rest, long: Job) -> None:
    check(rest.get(f"/entrance/{long.id}/log", size=-1)["log"][3].split("\n"))
    check(rest.get("/filesystem/openLog", path=long.history()["logPath"])["log"][3].split("\n"))
    told = []
    with rest.http.stream("GET", f"{PREFIX}/entrance/{long.id}/events") as reply:
        for line in reply.iter_lines():
            if line.startswith("data: ") and "log" in (data := json.loads(line.removeprefix("data: "))):
                told += data["log"][3].split("\n")
    check(told)


def test_the_command_shows_it(headgate: Headgate, long: Job) -> None:
    out, _ = headgate("log", str(long.id))
    check(out.splitlines())


def test_the_reason_of_the_end_is_short(long: Job) -> None:
    assert long.history()["errDesc"] == "The shell ended with exit code 7: after"


def test_as_a_result_it_comes_in_pieces_and_whole(rest: Rest, service: Service) -> None:
    job = run(service, f"head -c {LENGTH} /dev/zero | tr '\\0' x", engine="shell-1")
    (result,) = job.results()
    assert "".join(str(row[0]) for row in result.rows()) == "x" * LENGTH
    reply: httpx2.Response = rest.http.get(f"{PREFIX}/entrance/{job.id}/results/0", params={"format": "csv"})
    assert reply.status_code == 200 and reply.text.count("x") == LENGTH


def test_the_service_has_not_grown_by_it(service: Service, grown: int, long: Job) -> None:
    assert psutil.Process(service.process.pid).memory_info().rss - grown < MOST_GROWTH
