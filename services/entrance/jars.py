"""A jar, opened and checked: what it says of itself, which classes one can start, which Flink it was built for."""

from __future__ import annotations

import difflib
import json
import re
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import BinaryIO

from commons.process.errors import Invalid
from protocol import codes
from services.entrance import classfiles, zips

MANIFEST = "META-INF/MANIFEST.MF"
LARGEST_ENTRY = 2**20
"""Of those that are read."""
MOST_LISTED = 50
LONGEST_LOOK_SECONDS = 5.0
"""For classes to start; a larger jar may have more of them than were found."""
MOST_POMS = 200
DEEPEST_PARENT = 20
LONGEST_TEXT = 300

_POM = re.compile(r"META-INF/maven/([^/]+)/([^/]+)/pom\.(xml|properties)")
_FLINK = "org.apache.flink"
_RELEASE = re.compile(r"\d+\.\d+(?:\.\d+)?", re.A)
_CONNECTOR = re.compile(r"\d[\w.]*-(\d+\.\d+)", re.A)
"""The version of a connector, which ends in the Flink it is for: 3.3.0-1.20."""
_POM_PROPERTY = re.compile(rb"<flink\.version>\s*([\w.]+)\s*</flink\.version>")
_POM_DEPENDENCY = re.compile(
    rb"<groupId>\s*org\.apache\.flink\s*</groupId>\s*<artifactId>\s*flink-(?:core|streaming-java|clients|table-[a-z-]+)"
    rb"(?:_[\d.]+)?\s*</artifactId>\s*<version>\s*([\w.]+)\s*</version>"
)
_WITHIN = re.compile(r"lib/[^/]+\.jar")
"""Jars in a jar, which Flink puts on the class path too."""


@dataclass(frozen=True, slots=True)
class Jar:
    """What a jar says of itself."""

    main_class: str = ""
    """Of its manifest: what is started when nobody names a class."""
    entry_classes: Sequence[str] = ()
    """Classes with a `main`, sorted; some of them when there are very many."""
    flink: str = ""
    """The version of Flink it was built for, such as 1.20.5 or 1.20; empty when that cannot be told."""

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Jar:
        return cls(**json.loads(text))

    def mismatch(self, versions: Sequence[str]) -> str:
        """A warning when it was built for another Flink than each of these; empty when it fits or nobody can tell."""
        if not self.flink or any(_minor(self.flink) == _minor(version) for version in versions):
            return ""
        return f"the jar was built for Flink {self.flink}, not for {' or '.join(versions)}; it may not run there"


def read(file: BinaryIO, name: str, field: str) -> Jar:
    """What the jar in `file` says of itself. Raises Invalid when it is no jar, or not one that is taken."""
    with _opened(file, name, field) as archive:
        entries = archive.infolist()
        manifest = _manifest(archive)
        if manifest is None and not any(entry.filename.endswith(".class") for entry in entries):
            raise _no_jar(name, "it is a zip file without a manifest and without classes", field)
        # Flink looks for the first of the two before the other
        main = (manifest or {}).get("program-class") or (manifest or {}).get("main-class", "")
        found = sorted(each.name for each in _with_main(archive, entries) if len(each.name) <= LONGEST_TEXT)
        return Jar(main[:LONGEST_TEXT], found[:MOST_LISTED], _flink_version(archive, entries))


def check_entry(file: BinaryIO, name: str, entry_class: str, field: str) -> None:
    """Whether the jar `name` in `file` has this class, with a `main` of its own or of a parent. Raises Invalid."""
    with _opened(file, name, "file") as archive:
        looked, wanted = 0, entry_class
        while (found := _class(archive, wanted)) is not None and looked < DEEPEST_PARENT:
            if found.has_main:
                return
            looked, wanted = looked + 1, found.parent
        if looked and not wanted.startswith("java."):
            return  # a parent that the class path has elsewhere may have it
        entries = archive.infolist()
        if not looked and any(_WITHIN.fullmatch(entry.filename) for entry in entries):
            return  # it may lie in one of those
        others = sorted(each.name for each in _with_main(archive, entries))
        what = f"{entry_class[:LONGEST_TEXT]} has no public static void main(String[])" if looked else (
            f"{name} has no class {entry_class[:LONGEST_TEXT]!r}"
        )  # fmt: skip
        raise Invalid(codes.JAR_INVALID, f"{what}; {_there_are(entry_class, others)}", field=field)


def _there_are(entry_class: str, others: Sequence[str]) -> str:
    if not others:
        return "it has no class that can be started"
    near = difflib.get_close_matches(entry_class, others, 3) or others[:3]
    return f"those that can be started: {', '.join(near)}{', …' if len(others) > len(near) else ''}"


def _opened(file: BinaryIO, name: str, field: str) -> zipfile.ZipFile:
    try:
        return zips.opened(file)
    except zips.NoZip as why:
        raise _no_jar(name, str(why), field) from None


def _no_jar(name: str, why: str, field: str) -> Invalid:
    return Invalid(codes.JAR_INVALID, f"{name[:80]} is no jar that can be taken: {why}", field=field)


def _manifest(archive: zipfile.ZipFile) -> dict[str, str] | None:
    """The main section, its names in small letters; None when there is no manifest."""
    try:
        entry = archive.getinfo(MANIFEST)
    except KeyError:
        return None
    content = (zips.read(archive, entry, LARGEST_ENTRY) or b"").decode("utf-8", "replace")
    lines = re.sub(r"\r?\n ", "", content).replace("\r\n", "\n").partition("\n\n")[0].split("\n")
    return {name.strip().lower(): value.strip() for name, colon, value in (line.partition(":") for line in lines)}


def _with_main(archive: zipfile.ZipFile, entries: Sequence[zipfile.ZipInfo]) -> Iterator[classfiles.ClassFile]:
    until = time.monotonic() + LONGEST_LOOK_SECONDS
    for entry in entries:
        if entry.filename.endswith(".class") and not entry.filename.startswith("META-INF/"):
            content = zips.read(archive, entry, LARGEST_ENTRY)
            if content is not None and classfiles.may_have_main(content):
                found = classfiles.parse(content)
                if found is not None and found.has_main:
                    yield found
        if time.monotonic() > until:
            return


def _class(archive: zipfile.ZipFile, name: str) -> classfiles.ClassFile | None:
    try:
        entry = archive.getinfo(f"{name.replace('.', '/')}.class")
    except KeyError:
        return None
    found = classfiles.parse(zips.read(archive, entry, 16 * LARGEST_ENTRY) or b"")
    return found if found is not None and found.name == name else None


def _flink_version(archive: zipfile.ZipFile, entries: Sequence[zipfile.ZipInfo]) -> str:
    """Of what was built: its own pom says it best; then Flink's own parts packed into it, then its connectors."""
    parts, connectors = "", ""
    poms = [(entry, pom) for entry in entries if (pom := _POM.fullmatch(entry.filename))][:MOST_POMS]
    for entry, pom in poms:
        content = zips.read(archive, entry, LARGEST_ENTRY) or b""
        if pom[1] != _FLINK:
            told = _POM_PROPERTY.search(content) or _POM_DEPENDENCY.search(content)
            if pom[3] == "xml" and told and _RELEASE.fullmatch(version := told[1].decode()):
                return version
        elif pom[3] == "properties" and (line := re.search(rb"^version=(\S+)", content, re.M)):
            version = line[1].decode("latin-1")
            if _RELEASE.fullmatch(version) and not pom[2].startswith("flink-shaded"):
                parts = parts or version
            elif found := _CONNECTOR.fullmatch(version):
                connectors = connectors or found[1]
    return parts or connectors


def _minor(version: str) -> list[str]:
    return version.split(".")[:2]
