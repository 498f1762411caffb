"""A job's text becomes the JSON that SeaTunnel's own parser would make of it."""

from __future__ import annotations

import json

import pytest

from services.engineconn.seatunnel import hocon
from services.engineconn.seatunnel.syntax import SyntaxFault, plain
from tests.support.hocon_corpus import BATCH_JSON, CORPUS, TAIL, VARIABLES, WRONG


@pytest.mark.parametrize("name", CORPUS)
def test_a_text_is_what_seatunnel_makes_of_it(name: str) -> None:
    text, expected = CORPUS[name]
    assert hocon.parse(text if "sink" in text else text + TAIL, VARIABLES) == expected


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_text_is_told_with_its_place(name: str) -> None:
    text, line, column, word = WRONG[name]
    with pytest.raises(SyntaxFault) as caught:
        hocon.parse(text, {})
    assert (caught.value.line, caught.value.column) == (line, column)
    assert word in caught.value.message


def test_json_stays_as_it_is() -> None:
    text = json.dumps({**BATCH_JSON, "a": "${city} and ${table_name}", "b.c": {"d.e": [1.5, None, "${x:y}"]}})
    read = hocon.parse(text, {"city": "Bei"})
    assert read == {**BATCH_JSON, "a": "Bei and ${table_name}", "b.c": {"d.e": [1.5, None, "y"]}}


def test_plugins_in_a_list_stay_a_list() -> None:
    assert hocon.parse("source = [ { plugin_name = A, a.b = 1 }, ]", {})["source"] == [{"plugin_name": "A", "a.b": 1}]


def test_a_key_that_comes_twice_in_json_is_told() -> None:
    with pytest.raises(SyntaxFault, match="'a' comes twice"):
        hocon.parse('{"source": [{"a": 1, "a": 2}]}', {})


def test_the_environment_is_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORD", "secret")
    with pytest.raises(SyntaxFault):
        hocon.parse("a = ${WORD}", {})
    assert hocon.parse('a = "${WORD}", b = ${?WORD}', {}) == {"a": "${WORD}"}


@pytest.mark.parametrize("text", ["[" * 100_000, "a=" + "{b=" * 100_000, '{"a":' * 100_000])
def test_a_text_nested_without_end_is_refused(text: str) -> None:
    with pytest.raises(SyntaxFault):
        hocon.parse(text, {})


def test_every_cut_of_a_text_is_read_or_refused() -> None:
    for text, _ in CORPUS.values():
        for end in range(0, len(text), 3):
            try:
                hocon.parse(text[:end], VARIABLES)
            except SyntaxFault as fault:
                lines = text[:end].split("\n")
                assert 1 <= fault.line <= len(lines) and 1 <= fault.column <= len(lines[fault.line - 1]) + 1


def test_places_are_found_again() -> None:
    text = 'env { job.mode = 1 }\nsource { A { b.c.d = ${x.y} } } # end\nsink { "K" { q = 1 } }'
    made = plain(text)
    for word in ("env", "source", "end", "sink", "q = 1"):
        at = made.text.index(word)
        line, column = made.text.count("\n", 0, at) + 1, at - (made.text.rfind("\n", 0, at) + 1) + 1
        found_line, found_column = made.place(line, column)
        assert text.split("\n")[found_line - 1][found_column - 1 :].startswith(word)
