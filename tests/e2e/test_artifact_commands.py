"""`headgate artifact`, and what the SDK does with artifacts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from headgate import AsyncClient, Client, Refused

from tests.conftest import Service
from tests.e2e.conftest import Headgate
from tests.support.java import jar, pom


@pytest.fixture
def clean(service: Service) -> Iterator[Client]:
    client = service.client()
    yield client
    for each in client.artifacts():
        client.remove_artifact(each["resourceId"])


def told(out: str) -> dict[str, Any]:
    return dict(json.loads(out))


@pytest.mark.usefixtures("clean")
def test_a_jar_is_pushed_shown_pulled_and_removed(headgate: Headgate, tmp_path: Path) -> None:
    file = tmp_path / "my-job.jar"
    file.write_bytes(jar(pom("1.12.2")))
    out, err = headgate("artifact", "push", str(file), "-o", "json")
    first = told(out)
    assert (first["name"], first["version"], first["unchanged"]) == ("my-job", "v000001", False)
    assert "warning: the jar was built for Flink 1.12.2" in err
    again = told(headgate("artifact", "push", str(file), "-o", "json")[0])
    assert again == {**first, "unchanged": True}
    file.write_bytes(jar())
    assert told(headgate("artifact", "push", str(file), "-o", "json")[0])["version"] == "v000002"
    assert "my-job,v000002,admin" in headgate("artifact", "list", "-o", "csv")[0]
    shown = told(headgate("artifact", "show", "my-job", "-o", "json")[0])
    assert (shown["version"], shown["versions"], shown["entryClasses"]) == ("v000002", 2, ["a.Main"])
    assert (shown["mainClass"], shown["sharedWith"], shown["usedBy"]) == ("a.Main", [], [])
    assert told(headgate("artifact", "show", "my-job@v000001", "-o", "json")[0])["flinkVersion"] == "1.12.2"
    assert "entryClasses: a.Main" in headgate("artifact", "show", "my-job")[0]
    folder = tmp_path / "folder"
    folder.mkdir()
    for to, at in ((str(folder), folder / "my-job.jar"), (str(tmp_path / "new.jar"), tmp_path / "new.jar")):
        assert told(headgate("artifact", "pull", "my-job", to, "-o", "json")[0]) == {"pulled": str(at)}
        assert at.read_bytes() == jar()
    headgate("artifact", "pull", "my-job@v000001", to)
    assert (tmp_path / "new.jar").read_bytes() == jar(pom("1.12.2"))
    assert sorted(path.name for path in tmp_path.glob(".*")) == [], "nothing half stays"
    headgate("artifact", "rm", "my-job@v000002")
    assert told(headgate("artifact", "show", "my-job", "-o", "json")[0])["version"] == "v000001"
    headgate("artifact", "rm", "my-job")
    _, err = headgate("artifact", "show", "my-job", code=5)
    assert "there is no artifact 'my-job'" in err


@pytest.mark.usefixtures("clean")
def test_sharing_on_the_command_line(headgate: Headgate, service: Service, tmp_path: Path) -> None:
    file = tmp_path / "a b.txt"
    file.write_text("no name comes of this")
    unnamed = told(headgate("artifact", "push", str(file), "-o", "json")[0])
    assert unnamed["name"] == unnamed["resourceId"]
    named = told(headgate("artifact", "push", str(file), "--name", "shared", "-o", "json")[0])
    assert named["name"] == "shared"
    assert headgate("artifact", "share", "shared", "--with", "*")[0] == "*\n"
    assert headgate("artifact", "share", "shared")[0] == "nobody\n"
    assert "there is no user 'nobody'" in headgate("artifact", "share", "shared", "--with", "nobody", code=5)[1]


def test_what_cannot_be_pushed_or_pulled_is_said(headgate: Headgate, tmp_path: Path) -> None:
    file = tmp_path / "evil.jar"
    file.write_bytes(jar({"../x": "x"}))
    assert "leads out of the folder" in headgate("artifact", "push", str(file), code=5)[1]
    headgate("artifact", "push", str(tmp_path / "none"), code=2)
    assert "there is no artifact" in headgate("artifact", "pull", "nothing", str(tmp_path), code=5)[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evil.jar"]


async def test_the_asynchronous_client_does_the_same(service: Service, clean: Client, tmp_path: Path) -> None:
    file = tmp_path / "data.bin"
    file.write_bytes(bytes(range(256)) * 10_000)
    async with AsyncClient(service.url, service.user, service.token) as client:
        made = await client.push_artifact(file)
        assert (made["name"], made["unchanged"]) == ("data.bin", False)
        assert (await client.push_artifact(str(file)))["unchanged"]
        assert [each["name"] for each in await client.artifacts()] == ["data.bin"]
        assert (await client.artifact("data.bin"))["versionInfo"]["sha256"] == made["sha256"]
        pulled = await client.pull_artifact("data.bin", tmp_path / "pulled")
        assert pulled.read_bytes() == file.read_bytes()
        assert await client.share_artifact("data.bin", ["*"]) == ["*"]
        await client.remove_artifact("data.bin@v000001")
        with pytest.raises(Refused) as refused:
            await client.artifact("data.bin")
        assert (refused.value.code, refused.value.field) == (104000, "resourceId")
    assert clean.artifacts() == []
