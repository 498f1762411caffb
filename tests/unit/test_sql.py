"""The splitter: quotes, comments, statement sets; and places in the script."""

from __future__ import annotations

import time

import pytest

from services.engineconn.flink.sql import split


@pytest.mark.parametrize(
    ("script", "texts"),
    [
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1;;\n ;SELECT 2;", ["SELECT 1", "SELECT 2"]),
        ("SET 'a'='b;c'; SELECT `x;y`, \"q;r\", 'it''s;'", ["SET 'a'='b;c'", "SELECT `x;y`, \"q;r\", 'it''s;'"]),
        ("-- a;b\nSELECT 1 -- c;d\n; /* e;f */ SELECT 2 /* g */", ["SELECT 1", "SELECT 2"]),
        ("SELECT /*+ OPTIONS('a'=';') */ 1; SELECT 2", ["SELECT /*+ OPTIONS('a'=';') */ 1", "SELECT 2"]),
        ("/* only */ -- comments", []),
        ("SELECT 1 // don't ; stop\n AS a; SELECT 2", ["SELECT 1 // don't ; stop\n AS a", "SELECT 2"]),
        ("SELECT 1 -- c\r;SELECT 2", ["SELECT 1", "SELECT 2"]),
        ("\ufeffSELECT 1", ["SELECT 1"]),
    ],
)
def test_split(script: str, texts: list[str]) -> None:
    assert [statement.text for statement in split(script)] == texts


@pytest.mark.parametrize(
    "begin",
    [
        "BEGIN STATEMENT SET;", "EXECUTE STATEMENT SET\nBEGIN", "begin /* c */ statement set -- d\n;",
        "EXPLAIN STATEMENT SET BEGIN", "COMPILE PLAN 'p' FOR STATEMENT SET BEGIN",
    ],
)  # fmt: skip
def test_a_statement_set_stays_whole(begin: str) -> None:
    script = f"{begin} INSERT INTO a SELECT CASE WHEN TRUE THEN 1 END; INSERT INTO b SELECT 2; END; SELECT 3"
    first, second = split(script)
    assert first.text.endswith("; END") and second.text == "SELECT 3"
    assert "STATEMENT SET BEGIN" in " ".join(first.for_flink().upper().split())
    assert first.for_flink().partition("INSERT")[0].count(";") == 0


def test_places_are_those_of_the_script() -> None:
    second = split("SELECT 1;\n  SELECT\n nope")[1]
    assert (second.line, second.column) == (2, 3)
    message, line, column = second.placed("From line 2, column 2 to line 2, column 5: Object 'nope' not found")
    assert message.startswith("From line 3, column 2 to line 3, column 5") and (line, column) == (3, 2)
    assert second.place(1, 4) == (2, 6)


def test_places_in_a_statement_set_are_those_of_the_script() -> None:
    statement = split("SELECT 1;\n BEGIN STATEMENT SET;INSERT INTO a SELECT nope;\nINSERT INTO b SELECT 1;END")[1]
    line = statement.for_flink().splitlines()[1]
    assert statement.place(2, line.index("nope") + 1) == (2, 2 + len("BEGIN STATEMENT SET;INSERT INTO a SELECT "))
    assert statement.place(3, 1) == (3, 1)


@pytest.mark.parametrize("script", ["a;" * 400_000, "'" * 999_999, "/* " * 300_000, "`" + "x" * 10**6])
def test_a_long_script_is_split_in_a_moment(script: str) -> None:
    began = time.monotonic()
    statements = split(script)
    assert len(statements) in (0, 1, 400_000) and time.monotonic() - began < 20
