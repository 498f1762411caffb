"""Paths that lead out of a job's own results and a user's own workspace, on every route that takes one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.conftest import Service
from tests.support.jobs import run
from tests.support.rest import PREFIX, Rest, fault
from tests.support.routes import ROUTES, Route

PATHS = [route for route in ROUTES if route.takes_path]
SECRET = "the secret of somebody else"
EMPTY, FORBIDDEN, UPWARDS = {80004}, {80010}, {80026}
NOT_THERE = {80004, 80005, 80010, 80013, 20010, 100007}
"""Or that nothing is there: the one or the other, as long as nothing is told or done."""

KINDS: dict[str, tuple[str, set[int]]] = {
    "none": ("", EMPTY),
    "blank": (" ", EMPTY),
    "up in results": ("{results}/../log", UPWARDS),
    "up at the end": ("{results}/..", UPWARDS),
    "up in a workspace": ("{root}/a/../../../headgate.db", UPWARDS),
    "up alone": ("..", UPWARDS),
    "up, written backwards": ("{results}\\..\\log", NOT_THERE),
    "up, encoded": ("{results}/%2e%2e/log", NOT_THERE),
    "up, encoded twice": ("{results}/%252e%252e/log", NOT_THERE),
    "a slash, encoded": ("{results}/..%2f..%2fheadgate.db", NOT_THERE),
    "the root of all": ("/", FORBIDDEN),
    "absolute": ("/etc/passwd", FORBIDDEN),
    "absolute, with a scheme": ("file:///etc/passwd", FORBIDDEN),
    "relative": ("etc/passwd", FORBIDDEN),
    "a home": ("~/.ssh", FORBIDDEN),
    "a variable": ("$HOME", FORBIDDEN),
    "a host": ("file://localhost/etc/passwd", FORBIDDEN),
    "one slash": ("file:/etc/passwd", FORBIDDEN),
    "a scheme in capitals": ("FILE://{plain}", FORBIDDEN),
    "hdfs": ("hdfs:///tmp", FORBIDDEN),
    "s3": ("s3://bucket/key", FORBIDDEN),
    "http": ("http://127.0.0.1/", FORBIDDEN),
    "the storage root": ("{storage}", FORBIDDEN),
    "all jobs": ("{storage}/jobs", FORBIDDEN),
    "a user's jobs": ("{storage}/jobs/2026-01-01/admin", FORBIDDEN),
    "all workspaces": ("{workspaces}", FORBIDDEN),
    "the database": ("{home}/headgate.db", FORBIDDEN),
    "the administrator's secrets": ("file://{home}/credentials.json", FORBIDDEN),
    "an attempt beyond counting": ("{storage}/jobs/2026-01-01/admin/x/" + "9" * 5000 + "/log", FORBIDDEN),
    "an attempt that is none": ("{storage}/jobs/2026-01-01/admin/x/٣/log", FORBIDDEN),
    "a job that is none": ("{storage}/jobs/9999-99-99/admin/x/1/results/_0.dolphin", NOT_THERE),
    "a long name of a job": ("{storage}/jobs/2026-01-01/admin/" + "x" * 300 + "/1/results", NOT_THERE),
    "a file within a result set": ("{results}/0/schema.arrow", NOT_THERE),
    "a result set that is none": ("{results}/_7.dolphin", NOT_THERE),
    "a result set beyond counting": ("{results}/_" + "9" * 300 + ".dolphin", NOT_THERE),
    "a result set with a line end": ("{results}/_0.dolphin\n.", NOT_THERE),
    "a symbolic link among the results": ("{results}/_9.dolphin", NOT_THERE),
    "a long path": ("{results}/" + "x" * 30_000, NOT_THERE),
    "NUL in results": ("{results}/\0", NOT_THERE),
    "NUL in a job": ("{storage}/jobs/2026-01-01/admin/x\0y/1/results", NOT_THERE),
    "NUL in a workspace": ("{root}/a\0b", NOT_THERE),
    "NUL before an end": ("/etc/passwd\0.dolphin", NOT_THERE),
    "a symbolic link to a folder": ("{root}/link", NOT_THERE),
    "behind a symbolic link": ("{root}/link/secret", NOT_THERE),
    "a folder behind a symbolic link": ("{root}/link/made", NOT_THERE),
    "a symbolic link to a file": ("{root}/file", NOT_THERE),
    "a symbolic link upwards": ("{root}/up/other/secret", NOT_THERE),
    "a workspace of nobody": ("{workspaces}/nobody/x", NOT_THERE),
    "a long name": ("{root}/" + "x" * 300, NOT_THERE),
    "a deep path": ("{root}/" + "x/" * 3000, NOT_THERE),
    "half a path": ("{root}/half/" + "x" * 300 + "/more", NOT_THERE),
}  # fmt: skip


@pytest.fixture(scope="module")
def places(service: Service) -> dict[str, str]:
    """Where the administrator's job and workspace lie, with links in both that lead to what is not his."""
    job = run(service, "echo one", engine="shell-1")
    location = job.history()["resultLocation"]
    root, outside = service.home / "workspace" / "admin", service.home / "outside"
    outside.mkdir()
    (outside / "secret").write_text(SECRET)
    for name, target in (("link", outside), ("file", outside / "secret"), ("up", Path(".."))):
        (root / name).unlink(missing_ok=True)
        (root / name).symlink_to(target)
    results = Path(location.removeprefix("file://"))
    shutil.copytree(results / "0", outside / "0")
    (results / "9").symlink_to(outside / "0")
    storage = location.partition("/jobs/")[0]
    return {
        "results": location, "root": f"file://{root}", "plain": f"{results}", "storage": storage,
        "workspaces": f"file://{root.parent}", "home": str(service.home),
    }  # fmt: skip


def seen(folder: Path) -> dict[str, bytes]:
    """Whatever is below a folder, links unfollowed."""
    return {
        str(path.relative_to(folder)): b"" if path.is_symlink() or path.is_dir() else path.read_bytes()
        for path in folder.rglob("*")
    }


def tells_nothing(reply: httpx2.Response, path: str, codes: set[int]) -> bool:
    if reply.status_code != 200:
        said = fault(reply)
        return said.code in codes and said.field in ("path", "file") and len(said.message) < 800
    data: Any = reply.json()["data"]
    if "dirFileTrees" in data:
        return codes == NOT_THERE and data["dirFileTrees"]["children"] == []
    return codes == NOT_THERE and data == {"isExist": False}


@pytest.mark.parametrize("route", PATHS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_no_path_leads_out(rest: Rest, service: Service, places: dict[str, str], route: Route, kind: str) -> None:
    template, codes = KINDS[kind]
    path = template.format(**places)
    folders = [service.home / name for name in ("workspace/admin", "outside")]
    before = [seen(folder) for folder in folders]
    reply = route.ask(rest, path=path)
    writes = route.method == "POST"
    assert tells_nothing(reply, path, codes | (FORBIDDEN if writes else set())), (reply.status_code, reply.text[:300])
    assert SECRET not in reply.text
    assert [seen(folder) for folder in folders] == before


@pytest.mark.parametrize("route", PATHS, ids=str)
def test_another_users_places_are_forbidden(
    rest_of: Callable[[str], Rest], service: Service, places: dict[str, str], route: Route
) -> None:
    nosy = rest_of("nosy")
    before = seen(service.home / "workspace" / "admin")
    kinds = ("{results}", "{results}/_0.dolphin", "{root}", "{root}/a.sql", "{storage}/jobs/2026-01-01/admin/x/1/log")
    for place in kinds:
        said = fault(route.ask(nosy, path=place.format(**places)))
        assert (said.http, said.code, said.field) == (400, 80010, "path")
    assert seen(service.home / "workspace" / "admin") == before


def test_links_are_neither_listed_nor_followed(rest: Rest, service: Service, places: dict[str, str]) -> None:
    def names(folder: str) -> list[str]:
        tree = rest.get("/filesystem/getDirFileTrees", path=places[folder])["dirFileTrees"]
        return [child["name"] for child in tree["children"]]

    assert not {"link", "file", "up"} & set(names("root"))
    assert names("results") == ["_0.dolphin"]
    form = {"data": {"path": places["root"]}, "files": {"file": ("file", b"mine")}}
    assert rest.http.post(f"{PREFIX}/filesystem/upload", **form).status_code == 200
    assert (service.home / "outside" / "secret").read_text() == SECRET
    assert (service.home / "workspace" / "admin" / "file").read_bytes() == b"mine"


@pytest.mark.parametrize("body", [{}, {"path": None}, {"path": 7}, {"path": ["/"]}, {"path": {}}])
def test_a_path_is_a_text(rest: Rest, body: object) -> None:
    assert rest.refused("/filesystem/createNewDir", body)[:2] == (80004, "path")


NAMES = {
    "up": "..", "here": ".", "none": "/", "long": "x" * 256, "long in bytes": "名" * 86, "a folder's": "taken",
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_of_several_files_none_is_written_unless_all_can_be(rest: Rest, service: Service, name: str) -> None:
    root = rest.get("/filesystem/getUserRootPath")["userLocalRootPath"]
    folder = Path(root.removeprefix("file://"))
    (folder / "taken").mkdir(exist_ok=True)
    before = seen(folder)
    files = [("file", ("fine.txt", b"x")), ("file", (NAMES[name], b"x"))]
    said = fault(rest.http.post(f"{PREFIX}/filesystem/upload", data={"path": root}, files=files))
    assert (said.http, said.code, said.field) == (400, 100007, "file") and "choose another" in said.message
    assert seen(folder) == before


def test_a_folder_is_made_whole_or_not_at_all(rest: Rest, service: Service) -> None:
    root = rest.get("/filesystem/getUserRootPath")["userLocalRootPath"]
    code, field, why = rest.refused("/filesystem/createNewDir", {"path": f"{root}/half/made/{'x' * 256}"})
    assert (code, field) == (80010, "path") and "255 bytes" in why
    assert not (service.home / "workspace" / "admin" / "half").exists()
