"""Requests that nobody thought of: made up from the document by Schemathesis, one after the other along its links."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, Service, start, stop
from tests.support.rest import PREFIX, Rest

CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance",
)  # fmt: skip
FEWEST_LINKS = 10
TOKENS = 100
"""So many are made before the one that is used: whichever is revoked by a made-up number, it is not this."""


@pytest.fixture
def faked(tmp_path: Path) -> Iterator[Service]:
    """A service of its own, where jobs of Flink are done by the fake engine."""
    running = start(tmp_path / "home", "--stop-engines", HEADGATE_ENGINE_MODULES="flink=tests.support.fake_engine")
    yield running
    stop(running)


def made_up(service: Service, folder: Path, phases: str, examples: int) -> str:
    """What Schemathesis tells of its requests; none of their answers contradicts the document."""
    rest = Rest(service)
    for _ in range(TOKENS):
        token = rest.http.post(f"{PREFIX}/user/token-create").json()["data"]["token"]
    once = json.dumps({"jobContent": {"runType": "sql", "code": "rows 1"}})
    stored = rest.http.post(f"{PREFIX}/bml/upload", files={"file": ("once.json", once)}).json()["data"]
    rest.http.close()
    command = [
        sys.executable, "-m", "schemathesis.cli", "--no-color", "run", f"{service.url}/openapi.json",
        "--phases", phases,
        "--checks", ",".join(CHECKS), "--max-examples", str(examples), "--generation-deterministic",
        "--request-timeout", "60", "--continue-on-failure", "--warnings", "off", "--suppress-health-check", "all",
        "--header", f"Token-Code:{token}", "--header", f"Token-User:{service.user}",
    ]  # fmt: skip
    environment = {
        **os.environ, "SCHEMATHESIS_HOOKS": "tests.support.schemathesis_hooks", "PYTHONPATH": str(ROOT),
        "HEADGATE_TEST_ONCE": f"resource_036{stored['resourceId']}{stored['version']}",
    }  # fmt: skip
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    assert "Traceback" not in (folder / "service.log").read_text()
    return done.stdout


def test_whatever_the_document_allows_is_answered_as_it_says(faked: Service, tmp_path: Path) -> None:
    made_up(faked, tmp_path, "examples,coverage,fuzzing", 8)


def test_links_lead_to_what_is_there(faked: Service, tmp_path: Path) -> None:
    told = made_up(faked, tmp_path, "stateful", 40)
    links = re.search(r"API Links: +(\d+) covered", told)
    assert links is not None and int(links[1]) >= FEWEST_LINKS, told
