"""What we read and know of SeaTunnel's jobs agrees with SeaTunnel's own classes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.engineconn.seatunnel import hocon, options
from services.engineconn.seatunnel.syntax import SyntaxFault
from tests.support import seatunnel
from tests.support.hocon_corpus import CORPUS, TAIL, VARIABLES, WRONG
from tests.support.seatunnel_jvm import OPTIONS, SeaTunnelJvm, running

PLACES = {"another file", "another file by its address"}
"""What SeaTunnel would read, and we refuse."""


@pytest.fixture(scope="module")
def jvm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaTunnelJvm]:
    found = asyncio.run(seatunnel.found(tmp_path_factory.mktemp("files")))
    with running(found.home, found.java) as made:
        yield made


@pytest.mark.parametrize("name", CORPUS)
def test_seatunnels_parser_makes_the_same_of_a_text(jvm: SeaTunnelJvm, tmp_path: Path, name: str) -> None:
    text, _ = CORPUS[name]
    (tmp_path / "job.conf").write_text(text if "sink" in text else text + TAIL)
    ours = hocon.parse((tmp_path / "job.conf").read_text(), VARIABLES)
    assert jvm.parsed(tmp_path / "job.conf", VARIABLES) == ours


@pytest.mark.parametrize("name", WRONG.keys() - PLACES)
def test_seatunnels_parser_refuses_what_we_refuse(jvm: SeaTunnelJvm, tmp_path: Path, name: str) -> None:
    (tmp_path / "job.conf").write_text(WRONG[name][0])
    with pytest.raises(ValueError):
        jvm.parsed(tmp_path / "job.conf", {})


def test_what_seatunnels_parser_takes_of_a_cut_text_is_read_the_same(jvm: SeaTunnelJvm, tmp_path: Path) -> None:
    text, taken = CORPUS["a whole job"][0], 0
    for end in range(len(text) - 200, len(text), 7):
        (tmp_path / "job.conf").write_text(text[:end])
        try:
            theirs = jvm.parsed(tmp_path / "job.conf", {})
        except ValueError:
            continue
        taken += 1
        assert hocon.parse(text[:end], {}) == theirs
    with pytest.raises(SyntaxFault):
        hocon.parse(text[:-1].rstrip("}"), {})
    assert taken < 3


def test_the_options_are_those_of_the_jars(jvm: SeaTunnelJvm) -> None:
    there = jvm.options()
    kept = json.loads(OPTIONS.read_text())
    assert there and all(kept[section].get(name) == of for section, by in there.items() for name, of in by.items())


FAKE: dict[str, Any] = {"schema": {"fields": {"id": "int"}}}
GIVEN: list[tuple[str, str, dict[str, Any]]] = [
    ("source", "Jdbc", {"url": "u"}),
    ("source", "Jdbc", {"url": "u", "driver": "d"}),
    ("sink", "Jdbc", {"url": "u", "driver": "d"}),
    ("sink", "Jdbc", {"url": "u", "driver": "d", "query": "q"}),
    ("sink", "Jdbc", {"url": "u", "driver": "d", "generate_sink_sql": True}),
    ("sink", "Jdbc", {"url": "u", "driver": "d", "generate_sink_sql": "true", "database": "d"}),
    ("sink", "Jdbc", {"url": "u", "driver": "d", "query": "q", "is_exactly_once": True}),
    ("sink", "Jdbc", {"url": "u", "driver": "d", "query": "q", "data_save_mode": "CUSTOM_PROCESSING"}),
    ("source", "FakeSource", FAKE),
    ("source", "FakeSource", {**FAKE, "string.fake.mode": "template"}),
    ("source", "FakeSource", {**FAKE, "string.fake.mode": "template", "string.template": ["a"]}),
    ("source", "LocalFile", {"path": "p", "file_format_type": "csv"}),
    ("source", "LocalFile", {"path": "p", "file_format_type": "text", **FAKE}),
    ("source", "LocalFile", {"path": "p", "file_format_type": "orc"}),
    ("source", "LocalFile", {"path": "p", "file_format_type": "xml", **FAKE}),
    ("sink", "LocalFile", {}),
    ("sink", "LocalFile", {"path": "p"}),
    ("sink", "LocalFile", {"path": "p", "file_format_type": "xml"}),
    ("sink", "LocalFile", {"path": "p", "have_partition": True}),
    ("source", "MySQL-CDC", {"username": "u", "password": "p", "base-url": "b"}),
    ("source", "MySQL-CDC", {"username": "u", "password": "p", "base-url": "b", "table-names": ["a.b"]}),
    (
        "source",
        "MySQL-CDC",
        {"username": "u", "password": "p", "base-url": "b", "table-names": ["a.b"], "startup.mode": "specific"},
    ),
    ("transform", "Filter", {}),
    ("transform", "Filter", {"fields": ["a"]}),
    ("transform", "Filter", {"include_fields": ["a"], "exclude_fields": ["b"]}),
    ("transform", "Copy", {"src_field": "a"}),
    ("transform", "Copy", {"fields": {"a": "b"}}),
    ("transform", "Replace", {"replace_field": "a", "pattern": "b", "replacement": "c"}),
    ("transform", "Replace", {"replace_field": "a", "pattern": "b", "replacement": "c", "is_regex": True}),
    ("transform", "Sql", {}),
]


@pytest.mark.parametrize("section, name, given", GIVEN, ids=lambda value: str(value)[:60])
def test_our_rules_refuse_what_seatunnels_validator_refuses(
    jvm: SeaTunnelJvm, section: str, name: str, given: dict[str, Any]
) -> None:
    known = options.find(section, name)
    assert known is not None
    refusal = jvm.refusal(section, name, given)
    assert bool(known.faults(given)) == bool(refusal), (known.faults(given), refusal)
