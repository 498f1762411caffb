"""Jars are opened with care: what is none, or would do harm unpacked, is refused; what one says of itself is found."""

from __future__ import annotations

import io
import struct
import sys
import zipfile
from pathlib import Path

import pytest

from commons.process.errors import Invalid
from protocol import codes
from services.entrance import classfiles, jars, zips
from services.entrance.jars import Jar
from tests.support.java import MAIN, class_file, jar, pom


def read(content: bytes) -> Jar:
    return jars.read(io.BytesIO(content), "my.jar", "file")


def refusal(content: bytes) -> str:
    with pytest.raises(Invalid) as caught:
        read(content)
    assert (caught.value.code, caught.value.field) == (codes.JAR_INVALID, "file")
    assert caught.value.message.startswith("my.jar is no jar that can be taken: ")
    return caught.value.message.partition(": ")[2]


def check(content: bytes, entry_class: str) -> None:
    jars.check_entry(io.BytesIO(content), "my.jar", entry_class, "entry")


def test_a_jar_says_what_can_be_started() -> None:
    entries = {
        "b/Other.class": class_file("b.Other", ("run", "()V", 1), MAIN),
        "a/Main.class": class_file("a.Main", MAIN),
        "a/Private.class": class_file("a.Private", (*MAIN[:2], 0x000A)),
        "a/Instance.class": class_file("a.Instance", (*MAIN[:2], 0x0001)),
        "a/NoArguments.class": class_file("a.NoArguments", ("main", "()V", 9), ("x", MAIN[1], 9)),
        "META-INF/versions/11/a/Main.class": class_file("a.Eleven", MAIN),
        "a/broken.class": b"\xca\xfe\xba\xbe\x01\x00\x04main([Ljava/lang/String;)V",
    }
    assert read(jar(entries)) == Jar("a.Main", ["a.Main", "b.Other"], "")


def test_what_a_jar_says_is_kept_as_text() -> None:
    said = Jar("a.Main", ["a.Main"], "1.20")
    assert Jar.from_json(said.to_json()) == said


@pytest.mark.parametrize(
    ("manifest", "main"),
    [
        ("main-class:  a.Main \r\n", "a.Main"),
        ("Main-Class: a.very.lo\r\n ng.Name\r\n", "a.very.long.Name"),
        ("Main-Class: a.Main\r\nprogram-class: b.Program\r\n", "b.Program"),
        ("X: y\r\n\r\nName: a/\r\nMain-Class: not.This\r\n", ""),
        ("", ""),
    ],
)
def test_the_manifest_names_the_class_to_start(manifest: str, main: str) -> None:
    assert read(jar(manifest=manifest)).main_class == main


def test_a_jar_needs_no_manifest_but_then_classes() -> None:
    assert read(jar(manifest=None)).entry_classes == ["a.Main"]
    assert "without a manifest and without classes" in refusal(jar({"readme.txt": "x"}, manifest=None))


FLINK = "META-INF/maven/org.apache.flink"


@pytest.mark.parametrize(
    ("entries", "version"),
    [
        (pom("1.20.5"), "1.20.5"),
        (pom("${flink}"), ""),
        ({f"{FLINK}/flink-json/pom.properties": "#x\nversion=1.19.1\ngroupId=org.apache.flink\n"}, "1.19.1"),
        ({f"{FLINK}/flink-connector-kafka/pom.properties": "version=3.3.0-1.20\n"}, "1.20"),
        ({f"{FLINK}/flink-shaded-guava/pom.properties": "version=19.0\n"}, ""),
        (
            {
                f"{FLINK}/flink-connector-kafka/pom.properties": "version=3.3.0-1.20\n",
                f"{FLINK}/flink-csv/pom.properties": "version=1.18.1\n",
            },
            "1.18.1",
        ),
        ({f"{FLINK}/flink-csv/pom.properties": "version=1.18.1\n", **pom("2.3.0")}, "2.3.0"),
        (
            {
                "META-INF/maven/a/b/pom.xml": "<dependency><groupId>org.apache.flink</groupId>\n"
                "<artifactId>flink-streaming-java</artifactId><version>1.17.2</version></dependency>"
            },
            "1.17.2",
        ),
        ({}, ""),
    ],
)
def test_the_flink_it_was_built_for(entries: dict[str, str], version: str) -> None:
    assert read(jar({"a/Main.class": class_file("a.Main", MAIN), **entries})).flink == version


@pytest.mark.parametrize(
    ("built_for", "there_is", "fits"),
    [
        ("1.20.5", ["1.20.1"], True), ("1.20", ["1.20.5"], True), ("", ["1.20.5"], True), ("1.2.0", ["1.20.5"], False),
        ("1.17.2", ["1.20.5", "2.3.0"], False), ("2.3.0", ["1.20.5", "2.3.0"], True),
    ],
)  # fmt: skip
def test_another_flink_is_warned_of(built_for: str, there_is: list[str], fits: bool) -> None:
    said = Jar(flink=built_for).mismatch(there_is)
    assert (said == "") is fits
    if not fits:
        assert f"for Flink {built_for}, not for {' or '.join(there_is)}" in said


@pytest.mark.parametrize("content", [b"", b"x" * 100, b"PK\x03\x04" + b"\0" * 1000, b"%PDF-1.4\n" * 50])
def test_what_is_no_zip_is_refused(content: bytes) -> None:
    assert "it has not the end of a zip file" in refusal(content)


def test_a_jar_that_is_cut_short_is_refused() -> None:
    whole = jar({f"a/C{number}.class": class_file(f"a.C{number}", MAIN) for number in range(50)})
    for length in (len(whole) - 1, len(whole) - 30, len(whole) // 2):
        refusal(whole[:length])


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/etc/passwd", "..\\x", "a\\..\\..\\x", "\\x", "C:/x", "C:\\x", ".."]
)
def test_what_leads_out_of_its_folder_is_refused(name: str) -> None:
    assert "leads out of the folder" in refusal(jar({name: "x"}))


def test_names_that_only_look_so_are_taken() -> None:
    read(jar({"a..b/..c/d...class": "x", "a/x:y": "x"}))


def test_a_zip_bomb_is_refused() -> None:
    assert "zip bomb" in refusal(jar({"zeros": b"\0" * (zips.SMALL + 1)}))
    read(jar({"zeros": b"\0" * (zips.SMALL // 2)}))


def test_more_than_the_disk_holds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zips, "LARGEST_UNPACKED", 1000)
    assert "unpack to" in refusal(jar({"a": bytes(range(256)) * 4}))


def test_entries_over_each_other_are_refused() -> None:
    """One piece of data that many names stand for."""
    content = jar({"a": "x" * 1000, "b": "y" * 1000})
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        first, second = (archive.getinfo(name).header_offset for name in ("a", "b"))
    assert content.count(struct.pack("<I", second) + b"b") == 1
    moved = content.replace(struct.pack("<I", second) + b"b", struct.pack("<I", first) + b"b")
    assert "lie over each other" in refusal(moved)


def test_an_encrypted_entry_is_refused() -> None:
    content = bytearray(jar({"a": "x"}))
    at = content.rfind(b"PK\x01\x02")
    content[at + 8] |= 1
    assert "'a' in it is encrypted" in refusal(bytes(content))


@pytest.mark.parametrize("packed", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_java_does_not_read_is_refused(packed: int) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", packed) as archive:
        archive.writestr("a/Main.class", class_file("a.Main", MAIN))
    assert "in a way that Java does not read" in refusal(content.getvalue())


def test_a_directory_of_too_many_entries_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zips, "MOST_ENTRIES", 10)
    read(jar({f"{number}": "" for number in range(9)}))
    assert "more than 10 entries" in refusal(jar({f"{number}": "" for number in range(10)}))


def test_a_directory_that_is_too_large_is_not_read() -> None:
    content = bytearray(jar())
    struct.pack_into("<I", content, len(content) - 22 + 12, 2**31)
    assert "its directory is over 32 MiB" in refusal(bytes(content))
    struct.pack_into("<I", content, len(content) - 22 + 12, len(content))
    assert "its directory cannot be found" in refusal(bytes(content))


def test_a_directory_that_lies_about_its_entries_is_no_fault_of_ours() -> None:
    whole = jar({"META-INF/maven/a/b/pom.xml": "x" * 5000, "a/Main.class": class_file("a.Main", MAIN)})
    for at in range(0, len(whole), 7):
        broken = bytearray(whole)
        broken[at] ^= 0x55
        try:
            read(bytes(broken))
        except Invalid as error:
            assert error.code == codes.JAR_INVALID


def test_large_zips_with_64_bits_are_read() -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive, archive.open("a/Main.class", "w", force_zip64=True) as entry:
        entry.write(class_file("a.Main", MAIN))
    assert read(content.getvalue()).entry_classes == ["a.Main"]


def test_a_zip_of_more_entries_than_16_bits_count_is_read() -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for number in range(2**16):
            archive.writestr(zipfile.ZipInfo(str(number)), "")
        archive.writestr("a/Main.class", class_file("a.Main", MAIN))
    assert read(content.getvalue()).entry_classes == ["a.Main"]


def test_the_class_to_start_is_found() -> None:
    entries = {
        "a/Main.class": class_file("a.Main", MAIN),
        "a/Child.class": class_file("a.Child", parent="a.Main"),
        "a/Other.class": class_file("a.Other", parent="org.apache.flink.Somewhere"),
        "a/Plain.class": class_file("a.Plain", ("run", "()V", 1)),
        "a/Loop.class": class_file("a.Loop", parent="a.Loop"),
    }
    for there in ("a.Main", "a.Child", "a.Other", "a.Loop"):
        check(jar(entries), there)
    with pytest.raises(Invalid) as caught:
        check(jar(entries), "a.Plain")
    assert caught.value.message == (
        "a.Plain has no public static void main(String[]); those that can be started: a.Main"
    )


@pytest.mark.parametrize("entry_class", ["a.Mian", "", "a/Main", "../a/Main", "a.Main.class", "x" * 5000, "a\0b", "名"])
def test_a_class_that_is_not_there_is_refused_with_the_nearest(entry_class: str) -> None:
    with pytest.raises(Invalid) as caught:
        check(jar(), entry_class)
    assert (caught.value.code, caught.value.field) == (codes.JAR_INVALID, "entry")
    assert "my.jar has no class" in caught.value.message and "can be started: a.Main" in caught.value.message


def test_a_class_may_lie_in_a_jar_within() -> None:
    check(jar({"lib/inner.jar": jar()}), "b.Elsewhere")
    with pytest.raises(Invalid, match="it has no class that can be started"):
        check(jar({"other/inner.jar": jar()}), "b.Elsewhere")


def test_a_jar_of_many_classes_is_looked_through_for_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jars, "LONGEST_LOOK_SECONDS", 0.0)
    entries = {f"a/C{number}.class": class_file(f"a.C{number}", MAIN) for number in range(100)}
    assert len(read(jar(entries)).entry_classes) <= 1


@pytest.mark.parametrize(
    "content", [b"", b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbe\0\0\0\x34\0\x05\x01\xff\xff", b"x" * 50]
)
def test_what_is_no_class_is_none(content: bytes) -> None:
    assert classfiles.parse(content) is None


def test_a_whole_class_is_parsed_and_its_parts_are_none() -> None:
    whole = class_file("a.Main", ("x", "()V", 1), MAIN, parent="a.b.Parent")
    assert classfiles.parse(whole) == classfiles.ClassFile("a.Main", "a.b.Parent", has_main=True)
    for length in range(0, len(whole) - 2):
        found = classfiles.parse(whole[:length])
        assert found is None or not found.has_main


def test_classes_of_a_real_compiler_are_read() -> None:
    """Those of the jar that a library of ours brings with it."""
    (path,) = Path(sys.prefix).glob("share/py4j/py4j*.jar")
    with path.open("rb") as file:
        said = jars.read(file, path.name, "file")
        assert "py4j.GatewayServer" in said.entry_classes
        jars.check_entry(file, path.name, "py4j.GatewayServer", "entry")
        with pytest.raises(Invalid, match="has no public static void main"):
            jars.check_entry(file, path.name, "py4j.Gateway", "entry")
