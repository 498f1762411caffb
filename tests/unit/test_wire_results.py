"""Directories and result sets in the form that Linkis clients read."""

from __future__ import annotations

import pytest

from commons.process.errors import Invalid
from commons.storage import Entry
from services.entrance.wire import results
from services.entrance.wire.results import Column, Page, check_page, narrowing, null_text, opened, tree

TABLE = Page([Column("id", "int"), Column("name", "string")], [["1", "a"], [None, ""]], is_text=False)
TEXT = Page([Column("line", "string")], [["one"], ["two"]], is_text=True)


def test_a_table_is_of_type_2_and_counts_its_columns() -> None:
    assert list(opened(TABLE, 1, "NULL").items()) == [
        (
            "metadata",
            [
                {"columnName": "id", "comment": "", "dataType": "int"},
                {"columnName": "name", "comment": "", "dataType": "string"},
            ],
        ),
        ("totalPage", 0),
        ("totalColumn", 2),
        ("totalLine", 2),
        ("page", 1),
        ("type", "2"),
        ("fileContent", [["1", "a"], ["NULL", ""]]),
    ]


def test_a_text_is_of_type_1_with_a_list_of_metadata() -> None:
    assert list(opened(TEXT, 1, "").items()) == [
        ("metadata", [{"columnName": "line", "comment": "", "dataType": "string"}]),
        ("totalPage", 0),
        ("totalLine", 2),
        ("page", 1),
        ("type", "1"),
        ("fileContent", [["one"], ["two"]]),
    ]


@pytest.mark.parametrize(("wanted", "shown"), [("", "NULL"), ("LINKIS_NULL", "LINKIS_NULL"), ("BLANK", ""), ("0", "0")])
def test_null_is_shown_as_the_caller_wishes(wanted: str, shown: str) -> None:
    assert opened(TABLE, 1, null_text({"nullValue": wanted}))["fileContent"] == [["1", "a"], [shown, ""]]


def test_lines_are_counted_on_the_page_that_is_shown() -> None:
    empty = opened(Page(TABLE.columns, [], is_text=False), 7, "")
    assert (empty["totalLine"], empty["totalPage"], empty["page"], empty["totalColumn"]) == (0, 0, 7, 2)
    assert empty["fileContent"] == []


def test_a_tree_holds_its_files_in_the_order_given() -> None:
    files = [
        Entry("_0.dolphin", True, 57, 1_795_397_708_530),
        Entry("_10.dolphin", True, 0, 0),
        Entry("sub", False, 9, 9),
    ]
    assert tree("file:///r/results/", files) == {
        "name": "results",
        "path": "file:///r/results",
        "properties": None,
        "children": [
            {
                "name": "_0.dolphin",
                "path": "file:///r/results/_0.dolphin",
                "properties": {"size": "57", "modifytime": "1795397708530"},
                "children": None,
                "isLeaf": True,
                "parentPath": "file:///r/results",
            },
            {
                "name": "_10.dolphin",
                "path": "file:///r/results/_10.dolphin",
                "properties": {"size": "0", "modifytime": "0"},
                "children": None,
                "isLeaf": True,
                "parentPath": "file:///r/results",
            },
            {
                "name": "sub",
                "path": "file:///r/results/sub",
                "properties": {},
                "children": None,
                "isLeaf": False,
                "parentPath": "file:///r/results",
            },
        ],
        "isLeaf": False,
        "parentPath": None,
    }


def test_a_tree_without_files_is_not_null() -> None:
    assert tree("file:///r/results", [])["children"] == []


def test_pages_begin_with_1_and_hold_5000_rows_unless_more_are_asked_for() -> None:
    assert check_page(1, 100) == (1, 100)
    assert check_page(0, 0) == check_page(-3, -1) == (1, 5000)
    with pytest.raises(Invalid, match="pageSize is at most 100000") as caught:
        check_page(1, 100_001)
    assert (caught.value.code, caught.value.field) == (80034, "pageSize")


def test_refusals_of_paths_have_linkis_codes() -> None:
    forbidden, missing = results.path_forbidden("bob", "file:///r"), results.path_missing("file:///r")
    faults = [results.path_empty(), results.path_relative(), missing, forbidden]
    assert [(fault.code, fault.field) for fault in faults] == [(code, "path") for code in (80004, 80026, 80013, 80010)]
    assert "bob has no permission to view the contents of the directory:file:///r" in forbidden.message


WIDE = Page([Column(name, "int") for name in "abcde"], [list("12345")], is_text=False)


@pytest.mark.parametrize(
    ("query", "names", "row", "total"),
    [
        ({}, "abcde", "12345", 5),
        ({"columnPage": "2", "columnPageSize": "2"}, "cd", "34", 5),
        ({"columnPage": "3", "columnPageSize": "2"}, "e", "5", 5),
        ({"columnPage": "4", "columnPageSize": "2"}, "", "", 5),
        ({"columnPage": "2"}, "", "", 5),
        ({"columnPageSize": "0"}, "abcde", "12345", 5),
        ({"maskedFieldNames": "B, d,none"}, "ace", "135", 3),
        ({"maskedFieldNames": "b", "columnPage": "2", "columnPageSize": "1"}, "c", "3", 4),
    ],
)
def test_only_the_columns_that_are_asked_for_are_shown(query: dict[str, str], names: str, row: str, total: int) -> None:
    shown = opened(WIDE, 1, "NULL", narrowing(query))
    assert [column["columnName"] for column in shown["metadata"]] == list(names)  # type: ignore[attr-defined]
    assert (shown["fileContent"], shown["totalColumn"]) == ([list(row)], total)


def test_a_page_of_columns_holds_500() -> None:
    assert narrowing({"columnPageSize": "500"}).columns == 500
    with pytest.raises(Invalid, match="columnPageSize is at most 500") as caught:
        narrowing({"columnPageSize": "501"})
    assert (caught.value.code, caught.value.field) == (80036, "columnPageSize")
