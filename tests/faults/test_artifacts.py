"""A service that dies while an artifact comes: nothing of it is seen, and it can be sent again."""

from __future__ import annotations

import httpx2
import pytest

from tests.conftest import Start, kill
from tests.support.java import jar
from tests.support.rest import PREFIX, Rest


@pytest.mark.parametrize("point", ["before storing#1", "after storing#1"])
def test_what_a_death_cuts_short_is_not_there(begin: Start, point: str) -> None:
    service = begin(HEADGATE_FAULT=point)
    form = {"file": ("my-job.jar", jar())}
    rest = Rest(service)
    with pytest.raises(httpx2.TransportError):
        rest.http.post(f"{PREFIX}/bml/upload", files=form)
    rest.http.close()
    service.process.wait(60)
    kill(service)
    rest = Rest(begin())
    route = f"{PREFIX}/bml/getResources"
    assert rest.http.get(route).json()["data"]["Resources"] == []
    made = rest.http.post(f"{PREFIX}/bml/upload", files=form).json()["data"]
    assert (made["name"], made["version"]) == ("my-job", "v000001")
    assert [each["resourceId"] for each in rest.http.get(route).json()["data"]["Resources"]] == [made["resourceId"]]
    rest.http.close()
