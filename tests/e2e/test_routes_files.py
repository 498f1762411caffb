"""Answers of /filesystem field by field: a job's results and log, read as files."""

from __future__ import annotations

import pytest
from headgate import Job

from tests.conftest import Service
from tests.support.jobs import BATCH, run
from tests.support.rest import Rest, shape


@pytest.fixture(scope="module")
def table(service: Service) -> Job:
    code = "SELECT * FROM (VALUES (1, 'a'), (2, CAST(NULL AS STRING)), (3, '')) AS t(id, name) ORDER BY id"
    return run(service, code, configuration=BATCH)


def test_the_tree_of_a_jobs_results(rest: Rest, table: Job) -> None:
    location = table.history()["resultLocation"]
    (name, tree), = rest.get("/filesystem/getDirFileTrees", path=location).items()  # fmt: skip
    assert (name, tree["path"], tree["isLeaf"]) == ("dirFileTrees", location, False)
    assert shape(tree) == {
        "name": "str", "path": "str", "properties": "null", "isLeaf": "bool", "parentPath": "null",
        "children": [{
            "name": "str", "path": "str", "properties": {"size": "str", "modifytime": "str"}, "children": "null",
            "isLeaf": "bool", "parentPath": "str",
        }],
    }  # fmt: skip
    (child,) = tree["children"]
    assert (child["name"], child["path"]) == ("_0.dolphin", f"{location}/_0.dolphin")
    assert (child["isLeaf"], child["parentPath"], int(child["properties"]["size"]) > 0) == (True, location, True)


def test_the_tree_of_no_results_is_empty_and_not_null(rest: Rest, table: Job) -> None:
    missing = table.history()["resultLocation"].replace("/1/results", "/9/results")
    assert rest.get("/filesystem/getDirFileTrees", path=missing)["dirFileTrees"]["children"] == []


def test_a_table_is_opened_page_by_page(rest: Rest, table: Job) -> None:
    path = f"{table.history()['resultLocation']}/_0.dolphin"
    whole = rest.get("/filesystem/openFile", path=path)
    columns = [("id", "int"), ("name", "string")]
    assert whole == {
        "metadata": [{"columnName": name, "comment": "", "dataType": kind} for name, kind in columns],
        "totalPage": 0, "totalColumn": 2, "totalLine": 3, "page": 1, "type": "2",
        "fileContent": [["1", "a"], ["2", "NULL"], ["3", ""]],
    }  # fmt: skip
    second = rest.get("/filesystem/openFile", path=path, page=2, pageSize=1, nullValue="LINKIS_NULL", charset="utf-8")
    assert (second["page"], second["totalLine"], second["fileContent"]) == (2, 1, [["2", "LINKIS_NULL"]])
    assert rest.get("/filesystem/openFile", path=path, page=9)["fileContent"] == []


def test_a_text_is_opened_with_metadata_that_lists_parse(rest: Rest, ended: Job) -> None:
    assert rest.get("/filesystem/openFile", path=f"{ended.history()['resultLocation']}/_0.dolphin") == {
        "metadata": [{"columnName": "line", "comment": "", "dataType": "string"}],
        "totalPage": 0, "totalLine": 2, "page": 1, "type": "1", "fileContent": [["one"], ["a,b"]],
    }  # fmt: skip


def test_a_whole_log_is_opened_by_its_path(rest: Rest, ended: Job) -> None:
    path = ended.history()["logPath"]
    opened = rest.get("/filesystem/openLog", path=path)
    assert list(opened) == ["log"] and opened["log"] == rest.get(f"/entrance/{ended.id}/log", size=-1)["log"]
    errors = rest.get("/filesystem/openLog", path=path, logLevel="error")["log"]
    assert errors == [opened["log"][0], "", "", ""]


def test_what_does_not_exist_cannot_be_opened(rest: Rest, ended: Job) -> None:
    history = ended.history()
    missing = f"{history['resultLocation']}/_7.dolphin"
    code, field, why = rest.refused("/filesystem/openFile", path=missing)
    assert (code, field) == (80013, "path") and "not exists" in why
    assert rest.refused("/filesystem/openFile", path=history["logPath"])[:2] == (80013, "path")
    assert rest.refused("/filesystem/openLog", path=missing)[:2] == (80013, "path")
    too_many = rest.refused("/filesystem/openFile", path=f"{history['resultLocation']}/_0.dolphin", pageSize=100_001)
    assert too_many[:2] == (80034, "pageSize")
