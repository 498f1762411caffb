"""One trace from the client's request to the engine's launch, and on after a kill; a collector that is not there."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx2
import psutil
import pytest
from headgate import Job

from tests.conftest import Service, start, stop
from tests.support.collector import Collector, Span, collecting
from tests.support.jobs import eventually
from tests.support.rest import PREFIX, Rest

CANARY = "canary-in-code"
Begin = Callable[..., Service]
LAUNCHED = ["request engine", "start engine", "launch engine"]


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """Starts services on one home that send their spans to a URL; all are killed in the end."""
    started: list[Service] = []

    def begin(url: str, **more: str) -> Service:
        settings = {"HEADGATE_ENGINES": "shell", "HEADGATE_LEASE_SECONDS": "2", "OTEL_BSP_SCHEDULE_DELAY": "100"}
        more = settings | {"OTEL_EXPORTER_OTLP_ENDPOINT": url} | more
        started.append(start(tmp_path / "home", "--stop-engines", **more))
        return started[-1]

    yield begin
    (tmp_path / "go").touch()  # what a failed test left running ends
    for service in started:
        end(service)


class Traced:
    """A client's own trace, and a job that is submitted in it."""

    def __init__(self, service: Service, code: str) -> None:
        self.trace_id, self.span_id = secrets.token_hex(16), secrets.token_hex(8)
        body = {
            "executionContent": {"code": code, "runType": "shell"},
            "labels": {"engineType": "shell-1", "userCreator": "admin-IDE"},
        }
        answer = self.post(service, body).json()
        self.job: Job = service.client().job(answer["data"]["taskID"])

    def post(self, service: Service, body: object) -> httpx2.Response:
        """Submit it in the trace."""
        rest = Rest(service)
        rest.http.headers["traceparent"] = f"00-{self.trace_id}-{self.span_id}-01"
        with rest.http:
            return rest.http.post(f"{PREFIX}/entrance/submit", json=body)


def in_environment(engine_id: str) -> set[str]:
    """The traceparents in the processes of an engine."""
    found: set[str] = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            environment = process.environ()
            if environment.get("HEADGATE_ENGINE_ID") == engine_id and "TRACEPARENT" in environment:
                found.add(environment["TRACEPARENT"])
    return found


def end(service: Service) -> None:
    """As kill -9 does."""
    service.process.kill()
    service.process.wait()
    service.admin.close()
    assert service.process.stdout is not None
    service.process.stdout.close()


def test_a_job_is_one_trace_from_the_client_to_the_engines_launch(
    tmp_path: Path, begin: Begin, collector: Collector
) -> None:
    service = begin(collector.url, OTEL_EXPORTER_OTLP_HEADERS="api-key=canary-in-headers")
    one = Traced(service, f"echo {CANARY}; echo $TRACEPARENT; env | grep -c OTEL_")
    assert one.job.wait(60) == "Failed"  # grep finds nothing
    collector.wait(one.trace_id, "release engine")
    spans = collector.of(one.trace_id)
    by_name = {span.name: span for span in spans}
    assert len(spans) == len(by_name) == 9, by_name.keys()

    def parent(name: str) -> str:
        return next(span.name for span in spans if span.span_id == by_name[name].parent_id)

    submit = "POST /entrance/submit"
    assert by_name[submit].parent_id == one.span_id
    children = ("save job", "obtain engine", "run task", "release engine")
    assert {name: parent(name) for name in children} == dict.fromkeys(children, submit)
    assert [parent(name) for name in LAUNCHED] == ["obtain engine", "request engine", "start engine"]
    assert parent("hand over task") == "run task"
    launch, handed = (f"00-{one.trace_id}-{by_name[name].span_id}-01" for name in (LAUNCHED[-1], "hand over task"))
    assert launch in in_environment(by_name["launch engine"].attributes["headgate.engine_id"])
    (result,) = one.job.results()
    assert list(result.rows()) == [[CANARY], [handed], ["0"]]
    assert by_name["run task"].attributes["headgate.job_id"] == str(one.job.id)
    assert {span.service for span in spans} == {"headgate"}
    assert re.search(rf"engine \w+ starts.* trace={one.trace_id}$", (tmp_path / "service.log").read_text(), re.M)
    refused = one.post(service, {})
    assert refused.json()["data"]["trace_id"] == refused.headers["x-trace-id"] == one.trace_id
    assert stop(service) == 0
    assert "opentelemetry" not in (tmp_path / "service.log").read_text(), "it has nothing to complain of"
    for canary in (CANARY, "canary-in-headers", service.token):
        assert canary.encode() not in collector.bytes


def test_the_trace_goes_on_after_a_kill_while_the_job_runs(tmp_path: Path, begin: Begin, collector: Collector) -> None:
    service = begin(collector.url)
    one = Traced(service, f"while [ ! -e {tmp_path}/go ]; do sleep 0.1; done")
    eventually(lambda: one.job.status() == "Running", "it runs")
    submit = collector.wait(one.trace_id, "POST /entrance/submit")
    collector.wait(one.trace_id, "hand over task")
    assert not named(collector, one, "run task")
    end(service)
    service = begin(collector.url)
    (tmp_path / "go").touch()
    assert service.client().job(one.job.id).wait(60) == "Succeed"
    collector.wait(one.trace_id, "release engine")
    (ran,) = named(collector, one, "run task")
    assert ran.parent_id == submit.span_id
    assert len(named(collector, one, "launch engine")) == 1
    assert stop(service) == 0


def test_the_trace_goes_on_after_a_kill_while_the_engine_starts(begin: Begin, collector: Collector) -> None:
    slow = {"HEADGATE_ENGINE_MODULES": "shell=tests.support.fake_engine", "HEADGATE_ENGINE_FAKE_OPEN": "sleep 3"}
    service = begin(collector.url, **slow)
    one = Traced(service, "rows 1")
    started = collector.wait(one.trace_id, "start engine")
    end(service)
    assert not named(collector, one, "launch engine")
    service = begin(collector.url, **slow)
    assert service.client().job(one.job.id).wait(60) == "Succeed"
    assert collector.wait(one.trace_id, "launch engine").parent_id == started.span_id
    assert len(named(collector, one, "start engine")) == 1
    assert stop(service) == 0


def named(collector: Collector, one: Traced, name: str) -> list[Span]:
    return [span for span in collector.of(one.trace_id) if span.name == name]


def test_a_collector_that_is_not_there_holds_nothing_up(tmp_path: Path, begin: Begin) -> None:
    with collecting() as gone:
        pass
    service = begin(gone.url)
    one = Traced(service, "echo hi")
    assert one.job.wait(60) == "Succeed"
    began = time.monotonic()
    assert stop(service) == 0
    assert time.monotonic() - began < 20
    assert "Traceback" not in (tmp_path / "service.log").read_text()
