"""/openapi.json says what the routes do: here those that stream, and what leads from one to another."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from headgate import Job

from services.entrance.api.declared import JSON
from tests.conftest import Service
from tests.support.document import contradictions, document
from tests.support.rest import PREFIX, Rest

OPERATIONS = {
    operation["operationId"]: (method, path, operation)
    for path, operations in document()["paths"].items()
    for method, operation in operations.items()
}
LINKS = [
    (name, link["operationId"], link)
    for name, (_, _, operation) in OPERATIONS.items()
    for answer in operation["responses"].values()
    for link in answer.get("links", {}).values()
]


def test_the_service_serves_the_document(service: Service) -> None:
    assert httpx2.get(f"{service.url}/openapi.json").json() == document()


@pytest.mark.parametrize("route", ["/health/live", "/health/ready"])
def test_health_needs_no_log_in(service: Service, route: str) -> None:
    reply = httpx2.get(service.url + route)
    assert (reply.status_code, contradictions(reply)) == (200, [])


@pytest.mark.parametrize(
    ("route", "query"),
    [
        ("/entrance/{id}/events", {}),
        ("/entrance/{id}/results/0", {}),
        ("/entrance/{id}/results/0", {"format": "csv"}),
        ("/entrance/{id}/results/0", {"format": "jsonl"}),
        ("/entrance/{id}/results/x", {}),
        ("/entrance/{id}/results/7", {}),
        ("/filesystem/resultsetToExcel", {"path": "{results}/_0.dolphin"}),
        ("/filesystem/resultsetToExcel", {"path": "{results}/_0.dolphin", "outputFileType": "xlsx"}),
        ("/filesystem/resultsetsToExcel", {"path": "{results}"}),
        ("/filesystem/resultsetsToExcel", {"path": "/etc"}),
    ],
)
def test_streams_are_of_the_declared_types(rest: Rest, ended: Job, route: str, query: dict[str, str]) -> None:
    place = {"id": str(ended.id), "results": ended.history()["resultLocation"]}
    asked = {name: value.format(**place) for name, value in query.items()}
    reply = rest.http.get(PREFIX + route.format(**place), params=asked)
    assert contradictions(reply) == []
    assert (reply.status_code, reply.headers["content-type"] == JSON) in ((200, False), (400, True))


@pytest.mark.parametrize(("source", "target", "link"), LINKS, ids=[f"{source}-{target}" for source, target, _ in LINKS])
def test_links_lead_from_what_is_there_to_what_is_asked(source: str, target: str, link: dict[str, Any]) -> None:
    values = [*link.get("parameters", {}).values(), *link.get("requestBody", {}).values()]
    for value in (value for value in values if isinstance(value, str)):
        assert _has(OPERATIONS[source][2]["responses"]["200"], value.removeprefix("$response.body#/").split("/"))
    parameters = {each["name"]: each["required"] for each in OPERATIONS[target][2]["parameters"]}
    given = link.get("parameters", {}).keys()
    assert given <= parameters.keys() and {name for name, needed in parameters.items() if needed} <= given


def test_a_submit_leads_to_everything_about_its_job() -> None:
    wanted = {"jobStatus", "jobLog", "jobKill", "jobProgress", "jobEvents", "jobResults", "getTask"}
    for source in ("submit", "execute"):
        assert wanted <= {target for name, target, _ in LINKS if name == source}


def _has(answer: dict[str, Any], steps: list[str]) -> bool:
    shape = answer["content"][JSON]["schema"]
    for step in (*steps, ""):
        if "$ref" in shape:
            shape = document()["components"]["schemas"][shape["$ref"].rpartition("/")[2]]
        if step:
            if step not in shape["properties"]:
                return False
            shape = shape["properties"][step]
    return True
