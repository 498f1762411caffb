"""A user's workspace through /filesystem: seen, opened, written; and no way out of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from headgate import Job

from tests.conftest import Service
from tests.support.rest import PREFIX, Rest, shape


@pytest.fixture
def root(rest: Rest) -> str:
    return str(rest.get("/filesystem/getUserRootPath", pathType="file")["userLocalRootPath"])


def make(rest: Rest, path: object) -> tuple[int, dict[str, object]]:
    reply = rest.http.post(f"{PREFIX}/filesystem/createNewDir", json={"path": path})
    return reply.status_code, reply.json()


def upload(rest: Rest, path: str, *files: tuple[str, bytes]) -> tuple[int, dict[str, object]]:
    parts = [("file", file) for file in files]
    reply = rest.http.post(f"{PREFIX}/filesystem/upload", data={"path": path}, files=parts)
    return reply.status_code, reply.json()


def code_of(answer: tuple[int, dict[str, object]]) -> int:
    assert answer[0] in (400, 413, 415), answer
    return int(answer[1]["data"]["errorMsg"]["errCode"])  # type: ignore[index]


def test_the_root_is_the_users_own_folder(root: str, service: Service) -> None:
    assert root == f"file://{service.home}/workspace/admin" and Path(root.removeprefix("file://")).is_dir()


def test_folders_are_made_once_with_those_above(rest: Rest, root: str) -> None:
    code, answer = make(rest, f"{root}/made/inner")
    assert (code, answer["method"], answer["data"]) == (200, "/api/filesystem/createNewDir", {})
    again = make(rest, f"{root}/made/inner")
    assert code_of(again) == 80005 and "is duplicated" in str(again[1]["message"])
    assert code_of(make(rest, root)) == 80005
    tree = rest.get("/filesystem/getDirFileTrees", path=f"{root}/made")["dirFileTrees"]
    assert shape(tree["children"]) == [{
        "name": "str", "path": "str", "properties": {}, "children": "null", "isLeaf": "bool", "parentPath": "str",
    }]  # fmt: skip
    assert (tree["name"], tree["children"][0]["name"], tree["children"][0]["isLeaf"]) == ("made", "inner", False)


def test_uploads_are_seen_opened_counted_and_replaced(rest: Rest, root: str) -> None:
    code, answer = upload(rest, root, ("a.sql", b"SELECT 1;\nSELECT 2"), ("名.csv", b"x"))
    assert (code, answer["method"], answer["data"]) == (200, "/api/filesystem/upload", {})
    opened = rest.get("/filesystem/openFile", path=f"{root}/a.sql")
    assert opened == {
        "metadata": {}, "totalPage": 0, "totalLine": 1, "page": 1, "type": "script/text",
        "fileContent": [["SELECT 1;\nSELECT 2"]],
    }  # fmt: skip
    info = rest.get("/filesystem/fileInfo", path=f"{root}/a.sql")
    assert info == {"path": f"{root}/a.sql", "colNumber": 1, "rowNumber": 2}
    assert upload(rest, f"{root}/", ("C:\\temp\\a.sql", b"new"))[0] == 200
    assert rest.get("/filesystem/openFile", path=f"{root}/a.sql")["fileContent"] == [["new"]]
    names = {child["name"] for child in rest.get("/filesystem/getDirFileTrees", path=root)["dirFileTrees"]["children"]}
    assert {"a.sql", "名.csv"} <= names and not [name for name in names if name.startswith(".upload")]


def test_a_large_upload_arrives_whole(rest: Rest, root: str) -> None:
    content = bytes(range(256)) * 80_000
    assert upload(rest, root, ("large.bin", content))[0] == 200
    assert Path(root.removeprefix("file://"), "large.bin").read_bytes() == content


def test_whether_a_path_leads_somewhere(rest: Rest, root: str, ended: Job) -> None:
    upload(rest, root, ("there.txt", b"x"))
    history = ended.history()
    there = [root, f"{root}/there.txt", history["logPath"], history["resultLocation"]]
    for path in [*there, f"{history['resultLocation']}/_0.dolphin"]:
        assert rest.get("/filesystem/isExist", path=path) == {"isExist": True}, path
    ninth = history["logPath"].replace("/1/log", "/9/log")
    missing = [f"{root}/not", f"{root}/not/there", f"{history['resultLocation']}/_7.dolphin", ninth]
    for path in [*missing, history["logPath"] + "x"]:
        assert rest.get("/filesystem/isExist", path=path) == {"isExist": False}, path


def test_a_result_set_is_counted(rest: Rest, ended: Job) -> None:
    path = f"{ended.history()['resultLocation']}/_0.dolphin"
    assert rest.get("/filesystem/fileInfo", path=path) == {"path": path, "colNumber": 1, "rowNumber": 2}
    assert rest.refused("/filesystem/fileInfo", path=path.replace("_0", "_7"))[:2] == (80013, "path")


def test_every_user_has_a_workspace_of_his_own(rest_of: Callable[[str], Rest]) -> None:
    nosy = rest_of("nosy")
    own = nosy.get("/filesystem/getUserRootPath")["userLocalRootPath"]
    assert own.endswith("/workspace/nosy") and make(nosy, f"{own}/fine")[0] == 200


def test_what_cannot_be_uploaded_or_made_is_said(rest: Rest, root: str) -> None:
    assert code_of(upload(rest, f"{root}/nowhere", ("x", b"x"))) == 80013
    url = f"{PREFIX}/filesystem/upload"
    lacking = rest.http.post(url, data={"path": root}, files={"other": b"x"})
    assert (lacking.status_code, lacking.json()["data"]["field"]) == (400, "file")
    assert rest.http.post(url, files={"file": ("x", b"x")}).json()["data"]["errorMsg"]["errCode"] == 80004
    assert rest.http.post(url, json={"path": root}).status_code == 415
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    assert rest.http.post(url, content=b"nonsense", headers=broken).status_code == 400
    assert rest.http.post(url, content=b"x", headers={"Content-Type": "multipart/form-data"}).status_code == 400
    assert rest.refused("/filesystem/getUserRootPath", pathType="hdfs")[:2] == (80003, "pathType")
