"""Directories and result sets in the form that Linkis clients read."""

from __future__ import annotations

import pytest

from commons.process.errors import Invalid
from services.entrance.wire import results
from services.entrance.wire.results import Column, Page, check_page, opened, tree

TABLE = Page([Column("id", "int"), Column("name", "string")], [["1", "a"], [None, ""]], is_text=False)
TEXT = Page([Column("line", "string")], [["one"], ["two"]], is_text=True)


def test_a_table_is_of_type_2_and_counts_its_columns() -> None:
    assert list(opened(TABLE, 1, "").items()) == [
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
    assert opened(TABLE, 1, wanted)["fileContent"] == [["1", "a"], [shown, ""]]


def test_lines_are_counted_on_the_page_that_is_shown() -> None:
    empty = opened(Page(TABLE.columns, [], is_text=False), 7, "")
    assert (empty["totalLine"], empty["totalPage"], empty["page"], empty["totalColumn"]) == (0, 0, 7, 2)
    assert empty["fileContent"] == []


def test_a_tree_holds_its_files_in_the_order_given() -> None:
    files = [("_0.dolphin", 57, 1_795_397_708_530), ("_10.dolphin", 0, 0)]
    assert tree("results", "file:///r/results", files) == {
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
        ],
        "isLeaf": False,
        "parentPath": None,
    }


def test_a_tree_without_files_is_not_null() -> None:
    assert tree("results", "file:///r/results", [])["children"] == []


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
