"""/metrics of a real service after real jobs: the right numbers, in both formats, and nothing of users."""

from __future__ import annotations

import urllib.request

import httpx2
from headgate import Job
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.conftest import Service
from tests.support.jobs import eventually, run
from tests.support.metrics import scrape
from tests.support.rest import PREFIX, Rest

SHELL = "shell-1"


def test_jobs_are_counted_and_timed(service: Service) -> None:
    before = scrape(service.url)
    for code, status in (("sleep 0.6", "Succeed"), ("true", "Succeed"), ("exit 3", "Failed")):
        run(service, code, status, engine=SHELL)
    after = scrape(service.url)

    def grown(name: str, **labels: str) -> float:
        return round(after(name, **labels) - before(name, **labels), 6)

    assert grown("jobs_submitted_total", kind="shell") == 3
    assert grown("jobs_ended_total", kind="shell", status="Succeed") == 2
    assert grown("jobs_ended_total", kind="shell", status="Failed") == 1
    for timed in ("job_queue_seconds", "job_start_seconds", "job_run_seconds"):
        assert grown(f"{timed}_count", kind="shell") == 3
        assert 0 <= grown(f"{timed}_sum", kind="shell") < 60
    assert grown("job_run_seconds_sum", status="Succeed") > 0.6
    assert grown("job_run_seconds_count", status="Failed") == 1
    assert grown("job_events_recorded_total") >= 3
    assert 0 < grown("job_event_lag_seconds_sum") < 60
    assert grown("http_request_duration_seconds_count", method="POST", route="/entrance/submit", code="200") == 3
    assert grown("http_request_duration_seconds_count", route="/entrance/{id}/status", code="200") >= 3
    saved = {"method": "headgate.jobhistory.v1.JobHistory/SaveJobHistory", "code": "OK"}
    assert grown("rpc_call_duration_seconds_count", **saved) == 3
    assert grown("database_batch_items_sum") >= 15, "of each: saved, granted, begun, recorded, given back"
    assert grown("database_transaction_seconds_count", outcome="committed") >= 15


def test_what_runs_now_is_read_from_rows(service: Service, endless: Job) -> None:
    eventually(lambda: endless.status() == "Running", "it runs")
    eventually(lambda: scrape(service.url)("jobs", status="Running") == 1, "the job shows", 10)
    now = scrape(service.url)
    assert now("engines", kind="shell", status="busy") == 1
    assert (now("nodes", status="Alive"), now("nodes", status="Lost")) == (1, 0)
    assert now("engine_requests_waiting") == 0
    assert now("node_free_memory_bytes") > 0 and now("node_free_cores") > 0
    assert now("engine_start_seconds_count", kind="shell", outcome="ready") >= 1
    assert now("engines_memory_bytes") > 10_000_000
    for folder in ("home", "storage"):
        assert 0 < now("disk_free_bytes", folder=folder) < now("disk_size_bytes", folder=folder)
    assert now("lease_renewals_total", outcome="renewed") >= 1
    assert {sample.labels["source"] for sample in now.named("reading_up") if sample.value == 1} == {
        "jobhistory", "manager", "ecm",
    }  # fmt: skip


def test_who_watches_and_who_is_refused_is_counted(service: Service, endless: Job, rest: Rest) -> None:
    before = scrape(service.url)
    with rest.http.stream("GET", f"{PREFIX}/entrance/{endless.id}/events") as stream:
        chunks = stream.iter_bytes()  # what is dropped is closed
        next(chunks)
        assert scrape(service.url)("event_streams_open") == before("event_streams_open") + 1
    eventually(lambda: scrape(service.url)("event_streams_open") == before("event_streams_open"), "it is closed", 10)
    with httpx2.Client(base_url=service.url + PREFIX) as http:
        wrong = {"Token-User": "admin", "Token-Code": "wrong"}
        assert http.get("/user/userInfo", headers=wrong).status_code == 401
        assert http.post("/user/login", json={"userName": "admin", "password": "wrong"}).status_code == 400
    refused = scrape(service.url)
    for by in ("token", "password"):
        assert refused("log_ins_refused_total", by=by) == before("log_ins_refused_total", by=by) + 1


def test_nothing_of_users_is_in_it(service: Service) -> None:
    job = run(service, "echo zaphod", engine=SHELL)
    service.admin.create_user("zaphod", "long enough")
    with httpx2.Client(base_url=service.url) as http:
        for path in (f"/entrance/{job.id}/status", "/zaphod", "/entrance/zaphod/log", "/user/login?userName=zaphod"):
            http.get(PREFIX + path, headers={"Token-User": "zaphod", "Token-Code": "zaphod"})
        http.request("PROPFIND", "/zaphod")
    scraped = scrape(service.url)
    assert "zaphod" not in scraped.text.lower() and str(service.home) not in scraped.text
    values = {
        value for sample in scraped.samples for name, value in sample.labels.items() if name not in ("le", "code")
    }
    history = job.history()
    assert values.isdisjoint({"admin", job.id, history["execId"], history["strongerExecId"], history["engineInstance"]})
    assert all(sample.name.startswith("headgate_") for sample in scraped.samples)
    assert scraped("http_request_duration_seconds_count", method="other", route="none") >= 1


def test_openmetrics_for_who_accepts_it(service: Service) -> None:
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    with urllib.request.urlopen(urllib.request.Request(f"{service.url}/metrics", headers={"Accept": accept})) as reply:
        assert reply.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
        families = {family.name: family for family in text_string_to_metric_families(reply.read().decode())}
    assert families["headgate_jobs_ended"].type == "counter"
    assert families["headgate_build_info"].samples[0].labels["version"]
    with urllib.request.urlopen(f"{service.url}/metrics") as reply:
        assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
