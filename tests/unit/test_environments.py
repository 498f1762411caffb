"""What engine connections inherit, and what their own engines do."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.ecm import workdir
from services.engineconn import engine

FETCHING = ("PIP_INDEX_URL", "HEADGATE_MAVEN_REPOSITORY", "MAVEN_HOME", "MAVEN_OPTS")


@pytest.mark.parametrize("name", FETCHING)
def test_who_fetches_engine_files_knows_from_where_and_no_engine_does(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "https://user:password@somewhere")
    assert workdir.environment("e", Path("/node"), "")[name] == "https://user:password@somewhere"
    assert name not in engine.environment()
