"""Artifacts through /bml: uploaded, told, downloaded, shared, deleted, used by jobs; and what is refused."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from tests.conftest import Service, Start
from tests.support.document import contradictions
from tests.support.java import jar, pom
from tests.support.jobs import eventually
from tests.support.rest import PREFIX, Fault, Rest, fault

MIB = 2**20
UNKNOWN, FORBIDDEN, USED, NO_JAR, TAKEN = 104000, 75569, 104001, 104002, 100006
VERSION = {"version": "str", "resource": "str", "sha256": "str", "size": "int", "fileName": "str", "createTime": "int"}


class Bml:
    """Calls of /bml by one user."""

    def __init__(self, rest: Rest) -> None:
        self.rest = rest

    def form(self, route: str, file: tuple[str, bytes] | None, **fields: str) -> httpx2.Response:
        files = {"file": file} if file is not None else {"other": ("x", b"")}
        return self.rest.http.post(f"{PREFIX}/bml/{route}", data=fields, files=files)

    def upload(self, file_name: str, content: bytes, **fields: str) -> dict[str, Any]:
        return good(self.form("upload", (file_name, content), **fields))

    def update(self, reference: str, content: bytes, file_name: str = "x", **fields: str) -> dict[str, Any]:
        return good(self.form("updateVersion", (file_name, content), resourceId=reference, **fields))

    def get(self, route: str, **query: str | int) -> dict[str, Any]:
        return good(self.rest.http.get(f"{PREFIX}/bml/{route}", params=query))

    def download(self, reference: str, version: str = "") -> httpx2.Response:
        query = {"resourceId": reference, "version": version}
        return self.rest.http.get(f"{PREFIX}/bml/download", params=query)

    def post(self, route: str, **body: object) -> httpx2.Response:
        return self.rest.http.post(f"{PREFIX}/bml/{route}", json=body)


def good(reply: httpx2.Response) -> dict[str, Any]:
    assert reply.status_code == 200, reply.text
    assert contradictions(reply) == []
    return dict(reply.json()["data"])


@pytest.fixture
def bml(rest_of: Callable[[str], Rest], request: pytest.FixtureRequest) -> Iterator[Bml]:
    """A user who leaves nothing."""
    bml = Bml(rest_of("packer"))
    yield bml
    for each in bml.get("getResources", pageSize=1000)["Resources"]:
        if each["user"] == "packer":
            good(bml.post("deleteResource", resourceId=each["resourceId"]))


@pytest.fixture
def other(rest_of: Callable[[str], Rest]) -> Bml:
    return Bml(rest_of("neighbour"))


def stored(service: Service) -> list[Path]:
    return [path for path in (service.home / "storage" / "artifacts").rglob("*") if path.is_file()]


def test_an_artifact_from_its_first_version_to_its_end(bml: Bml, service: Service) -> None:
    before = stored(service)
    first = bml.upload("data.csv", b"one", system="lab")
    assert (first["name"], first["version"], first["size"], first["warnings"]) == ("data.csv", "v000001", 3, [])
    assert first["sha256"] == hashlib.sha256(b"one").hexdigest()
    second = bml.update("data.csv", b"two")
    assert (second["resourceId"], second["version"]) == (first["resourceId"], "v000002")
    basic = bml.get("getBasic", resourceId="data.csv")["basic"]
    assert (basic["owner"], basic["system"], basic["numberOfVerions"]) == ("packer", "lab", 2)
    assert (basic["sharedWith"], basic["usedBy"], basic["versionInfo"]["version"]) == ([], [], "v000002")
    told = bml.get("getVersions", resourceId=first["resourceId"])["ResourceVersions"]
    assert [each["version"] for each in told["versions"]] == ["v000002", "v000001"]
    page = bml.get("getVersions", resourceId="data.csv", currentPage=2, pageSize=1)["ResourceVersions"]
    assert [each["version"] for each in page["versions"]] == ["v000001"]
    (listed,) = bml.get("getResources", system="lab")["Resources"]
    assert (listed["user"], listed["name"], listed["version"]) == ("packer", "data.csv", "v000002")
    assert bml.get("getResources", system="other")["Resources"] == []
    for reference, version, content in (
        ("data.csv", "", b"two"), ("data.csv@v000001", "", b"one"), (first["resourceId"], "v000001", b"one"),
        (f"resource_036{first['resourceId']}v000001", "", b"one"), ("packer/data.csv", "v000002", b"two"),
    ):  # fmt: skip
        reply = bml.download(reference, version)
        assert (reply.status_code, reply.content, contradictions(reply)) == (200, content, [])
        assert reply.headers["etag"] == f'"{hashlib.sha256(content).hexdigest()}"'
    assert reply.headers["content-disposition"] == "attachment;filename=x"
    good(bml.post("deleteVersion", resourceId="data.csv", version="v000002"))
    assert bml.download("data.csv").content == b"one"
    good(bml.post("deleteResource", resourceId="data.csv"))
    assert fault(bml.download("data.csv")).code == UNKNOWN
    assert stored(service) == before


def test_a_jar_is_looked_into(bml: Bml) -> None:
    made = bml.upload("my-job.jar", jar(pom("1.12.2")))
    assert made["name"] == "my-job" and "was built for Flink 1.12.2" in made["warnings"][0]
    newest = bml.get("getBasic", resourceId="my-job")["basic"]["versionInfo"]
    assert newest["jar"] == {"mainClass": "a.Main", "entryClasses": [], "flinkVersion": "1.12.2"}
    assert bml.update("my-job", jar(), "my-job.jar")["warnings"] == []
    newest = bml.get("getBasic", resourceId="my-job")["basic"]["versionInfo"]
    assert newest["jar"] == {"mainClass": "a.Main", "entryClasses": ["a.Main"], "flinkVersion": ""}


@pytest.mark.parametrize("content", [b"", b"not a jar", jar()[:-5], jar({"../x": "x"}), jar({"x": b"\0" * (65 * MIB)})])
def test_what_is_no_jar_is_refused(bml: Bml, service: Service, content: bytes) -> None:
    before = stored(service)
    said = fault(bml.form("upload", ("my-job.jar", content)))
    assert (said.http, said.code, said.field) == (400, NO_JAR, "file") and said.message.startswith("my-job.jar is no")
    assert stored(service) == before and bml.get("getResources")["Resources"] == []


def test_the_same_version_twice(bml: Bml) -> None:
    bml.upload("data.csv", b"one")
    second = bml.update("data.csv", b"two", version="v000002")
    assert bml.update("data.csv", b"two", version="v000002") == second
    said = fault(bml.form("updateVersion", ("x", b"three"), resourceId="data.csv", version="v000002"))
    assert (said.http, said.code, said.field) == (409, TAKEN, "version") and "versions never change" in said.message
    said = fault(bml.form("upload", ("y", b"three"), name="data.csv"))
    assert (said.http, said.code, said.field) == (409, TAKEN, "name")
    assert bml.download("data.csv").content == b"two"


def test_another_users_artifact_looks_unknown_until_it_is_shared(bml: Bml, other: Bml) -> None:
    made = bml.upload("data.csv", b"one")

    def asked(by: Bml, reference: str) -> list[httpx2.Response]:
        return [
            by.download(reference), by.post("deleteResource", resourceId=reference),
            by.rest.http.get(f"{PREFIX}/bml/getBasic", params={"resourceId": reference}),
            by.rest.http.get(f"{PREFIX}/bml/getVersions", params={"resourceId": reference}),
            by.form("updateVersion", ("x", b"two"), resourceId=reference),
            by.post("deleteVersion", resourceId=reference, version="v000001"),
            by.post("share", resourceId=reference, users=["neighbour"]),
        ]  # fmt: skip

    def told(reply: httpx2.Response, reference: str) -> Fault:
        said = fault(reply)
        return Fault(said.http, said.code, said.field, said.message.replace(reference, "…"))

    unknown = [told(reply, "packer/none") for reply in asked(other, "packer/none")]
    assert {said.code for said in unknown} == {UNKNOWN}
    for reference in ("packer/data.csv", made["resourceId"]):
        assert [told(reply, reference) for reply in asked(other, reference)] == unknown
    shared = good(bml.post("share", resourceId="data.csv", users=["neighbour"]))
    assert shared == {"resourceId": made["resourceId"], "sharedWith": ["neighbour"]}
    assert other.download("packer/data.csv").content == b"one"
    basic = other.get("getBasic", resourceId="packer/data.csv")["basic"]
    assert "sharedWith" not in basic and "usedBy" not in basic
    assert [each["name"] for each in other.get("getResources")["Resources"]] == ["data.csv"]
    changing = asked(other, "packer/data.csv")
    for reply in (changing[1], *changing[4:]):
        said = fault(reply)
        assert (said.http, said.code, said.field) == (403, FORBIDDEN, "resourceId") and "packer" in said.message
    assert bml.get("getBasic", resourceId="data.csv")["basic"]["sharedWith"] == ["neighbour"]
    good(bml.post("share", resourceId="data.csv", users=[]))
    assert fault(other.download("packer/data.csv")).code == UNKNOWN


@pytest.mark.parametrize(
    ("route", "body", "field"),
    [
        ("deleteVersion", {"resourceId": "data.csv"}, "version"),
        ("deleteVersion", {"version": "v000001"}, "resourceId"),
        ("deleteVersion", {"resourceId": "data.csv", "version": "1"}, "version"),
        ("deleteVersion", {"resourceId": "data.csv", "version": "v000009"}, "version"),
        ("deleteVersion", {"resourceId": "data.csv@v000001", "version": "v000002"}, "version"),
        ("deleteVersion", {"resourceId": 7, "version": "v000001"}, "resourceId"),
        ("deleteResource", {"resourceId": " "}, "resourceId"), ("deleteResource", {"resourceId": "a b"}, "resourceId"),
        ("share", {"resourceId": "data.csv"}, "users"), ("share", {"resourceId": "data.csv", "users": "x"}, "users"),
        ("share", {"resourceId": "data.csv", "users": [1]}, "users"),
        ("share", {"resourceId": "data.csv", "users": ["nobody"]}, "users"),
        ("share", {"resourceId": "data.csv", "users": [f"u{n}" for n in range(101)]}, "users"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(bml: Bml, route: str, body: dict[str, object], field: str) -> None:
    bml.upload("data.csv", b"one")
    said = fault(bml.post(route, **body))
    assert (said.http, said.field) == (400, field)
    assert bml.download("data.csv").content == b"one"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "a b"}, "name"), ({"name": "a/b"}, "name"), ({"name": "x" * 101}, "name"), ({"name": "\0"}, "name"),
        ({"system": "x" * 65}, "system"), ({"sha256": "0" * 64}, "sha256"), ({"name": "x" * 5000}, "name"),
        ({f"f{n}": "x" for n in range(40)}, "body"),
    ],
)  # fmt: skip
def test_a_wrong_field_of_an_upload_is_named(bml: Bml, service: Service, fields: dict[str, str], field: str) -> None:
    before = stored(service)
    said = fault(bml.form("upload", ("data.csv", b"one"), **fields))
    assert (said.http, said.field) in ((400, field), (413, field))
    assert stored(service) == before


def test_an_upload_is_a_form_with_one_file(bml: Bml, rest: Rest) -> None:
    url = f"{PREFIX}/bml/upload"
    assert (fault(bml.form("upload", None)).field, fault(bml.form("upload", ("..", b"x"))).field) == ("file", "file")
    two = bml.rest.http.post(url, files=[("file", ("a", b"a")), ("file", ("b", b"b"))])
    assert fault(two).field == "file" and "more than one" in fault(two).message
    assert fault(bml.rest.http.post(url, json={})).http == 415
    assert fault(bml.rest.http.post(url, content=b"x", headers={"Content-Type": "multipart/form-data"})).field == "body"
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    for content in (
        b"",
        b"nonsense",
        b"--x\r\nContent-Type: a\r\n\r\nb\r\n--x--",
        b"--x\r\n" + b"h" * 9000 + b": x\r\n",
    ):
        assert fault(bml.rest.http.post(url, content=content, headers=broken)).http == 400, content[:30]
    said = fault(bml.form("updateVersion", ("x", b"y")))
    assert (said.http, said.field) == (400, "resourceId")
    assert bml.get("getResources")["Resources"] == []


def test_a_truncated_upload_leaves_nothing(bml: Bml, service: Service) -> None:
    """Cut short within the form, which the sender takes for the whole; and by a connection that ends."""
    before = stored(service)
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="data.csv"\r\n\r\n' + b"y" * (3 * MIB)
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    said = fault(bml.rest.http.post(f"{PREFIX}/bml/upload", content=body, headers=broken))
    assert (said.http, said.field) == (400, "body") and "cut short" in said.message
    host, _, port = service.url.removeprefix("http://").partition(":")
    headers = "".join(f"{name}: {value}\r\n" for name, value in {**bml.rest.http.headers, **broken}.items())
    head = f"POST {PREFIX}/bml/upload HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body) + 100}\r\n{headers}\r\n"
    with socket.create_connection((host, int(port)), timeout=30) as line:
        line.sendall(head.encode() + body)
        eventually(lambda: len(stored(service)) > len(before), "it is being stored")
    eventually(lambda: stored(service) == before, "nothing is left")
    assert bml.get("getResources")["Resources"] == []


def test_a_large_file_stays_out_of_memory(bml: Bml, service: Service, tmp_path: Path) -> None:
    path, piece = tmp_path / "large.bin", bytes(range(256)) * 4096
    with path.open("wb") as file:
        for _ in range(200):
            file.write(piece)
    process = psutil.Process(service.process.pid)
    before = process.memory_info().rss
    with path.open("rb") as file:
        made = good(bml.rest.http.post(f"{PREFIX}/bml/upload", files={"file": ("large.bin", file)}, timeout=120))
    digest = hashlib.sha256(piece * 200).hexdigest()
    assert (made["size"], made["sha256"]) == (200 * MIB, digest)
    came = hashlib.sha256()
    with bml.rest.http.stream("GET", f"{PREFIX}/bml/download?resourceId=large.bin", timeout=120) as reply:
        for chunk in reply.iter_bytes():
            came.update(chunk)
    assert came.hexdigest() == digest
    assert process.memory_info().rss - before < 100 * MIB


def submit(rest: Rest, jars: str, engine: str = "flink-1.20.5", run_type: str = "sql") -> httpx2.Response:
    body = {
        "executionContent": {"code": "sleep 600", "runType": run_type},
        "labels": {"engineType": engine},
        "params": {"configuration": {"runtime": {"headgate.jars": jars}}},
    }
    return rest.http.post(f"{PREFIX}/entrance/submit", json=body)


@pytest.fixture
def small(begin: Start) -> Service:
    """A service that takes small artifacts only, and whose Flink is an engine that does as it is told."""
    fake = "flink=tests.support.fake_engine"
    return begin(
        "--stop-engines", HEADGATE_ENGINES="flink,shell", HEADGATE_ENGINE_MODULES=fake, HEADGATE_ARTIFACT_MB="1"
    )


def test_an_upload_over_the_limit_leaves_nothing(small: Service) -> None:
    bml = Bml(Rest(small))
    assert bml.upload("fits", b"x" * MIB)["size"] == MIB
    for size in (MIB + 1, 5 * MIB):
        said = fault(bml.form("upload", ("large", b"x" * size)))
        assert (said.http, said.field) == (413, "file")
        said = fault(bml.form("updateVersion", ("large", b"x" * size), resourceId="fits"))
        assert (said.http, said.field) == (413, "file")
    assert len(stored(small)) == 1
    bml.rest.http.close()


def test_a_jar_in_use_stays_until_its_job_has_ended(small: Service) -> None:
    rest, bml = Rest(small), Bml(Rest(small))
    bml.upload("my-job.jar", jar())
    made = bml.update("my-job", jar(pom("1.12.2")))
    task = good(submit(rest, "my-job"))["taskID"]
    job = small.client().job(task)
    said = fault(bml.post("deleteResource", resourceId="my-job"))
    assert (said.http, said.code, said.field) == (409, USED, "resourceId")
    assert f"used by jobs that have not ended: {task} (admin)" in said.message
    eventually(lambda: job.status() == "Running", "it runs")
    eventually(
        lambda: any(f"artifact my-job: {made['size']} bytes" in line for line in job.log()), "its engine is told of it"
    )
    why = "INFO Warning: my-job: the jar was built for Flink 1.12.2, not for 1.20.5; it may not run there"
    assert [line.endswith(why) for line in job.log()].count(True) == 1
    brought = list(small.home.glob("node/**/artifacts/my-job"))
    assert [path.read_bytes() for path in brought] == [jar(pom("1.12.2"))], "its engine has the version it was given"
    assert fault(bml.post("deleteVersion", resourceId="my-job", version="v000002")).code == USED
    (use,) = bml.get("getBasic", resourceId="my-job")["basic"]["usedBy"]
    assert use == {"taskID": task, "user": "admin", "status": "Running", "version": "v000002"}
    good(bml.post("deleteVersion", resourceId="my-job", version="v000001"))
    job.kill()
    assert job.wait(60) == "Cancelled"
    assert bml.get("getBasic", resourceId="my-job")["basic"]["usedBy"] == []
    good(bml.post("deleteResource", resourceId=made["resourceId"]))
    assert stored(small) == []
    for each in (rest, bml.rest):
        each.http.close()


def test_a_job_with_jars_that_it_cannot_have_is_refused(small: Service) -> None:
    rest, bml = Rest(small), Bml(Rest(small))
    bml.upload("my-job.jar", jar())
    field = "params.configuration.runtime.headgate.jars"
    said = fault(submit(rest, "my-jbo"))
    assert (said.http, said.code, said.field) == (400, UNKNOWN, field) and "near it are: my-job" in said.message
    for jars, engine, run_type in (("a b", "flink", "sql"), ("my-job", "shell-1", "shell")):
        assert fault(submit(rest, jars, engine, run_type)).field == field
    tasks = rest.get("/jobhistory/list")["tasks"]
    assert [(task["status"], task["errCode"]) for task in tasks][-1] == ("Failed", UNKNOWN)
    for each in (rest, bml.rest):
        each.http.close()
