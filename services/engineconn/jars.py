"""Jars as data: a Maven coordinate, a size, a SHA-256; and how far fetching some of them is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from commons.process.errors import Invalid
from protocol import codes

_WORD = r"[A-Za-z0-9_][A-Za-z0-9._\-]*"
_COORDINATE = re.compile(rf"(?P<group>{_WORD}):(?P<artifact>{_WORD}):(?P<version>{_WORD})(?::(?P<classifier>{_WORD}))?")


@dataclass(frozen=True, slots=True)
class Jar:
    """One jar of a Maven repository."""

    group: str
    artifact: str
    version: str
    classifier: str = ""
    size: int = 0
    """Bytes; 0 when it is not known."""
    sha256: str = ""
    """Empty when it is not known: then the repository's own checksum must do."""

    @classmethod
    def of(cls, coordinate: str, size: int = 0, sha256: str = "") -> Jar:
        """From group:artifact:version[:classifier]. Raises Invalid for what is none."""
        match = _COORDINATE.fullmatch(coordinate)
        if match is None:
            what = f"{coordinate[:200]!r} is no coordinate; write group:artifact:version[:classifier]"
            raise Invalid(codes.ENGINE_FILES, what)
        return cls(match["group"], match["artifact"], match["version"], match["classifier"] or "", size, sha256)

    @property
    def coordinate(self) -> str:
        return ":".join(filter(None, (self.group, self.artifact, self.version, self.classifier)))

    @property
    def file_name(self) -> str:
        return "-".join(filter(None, (self.artifact, self.version, self.classifier))) + ".jar"

    @property
    def path(self) -> str:
        """Where it lies in a repository."""
        return f"{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.file_name}"


class Fetched:
    """How many of some jars, and how many bytes of them, are there already."""

    def __init__(self, title: str, jars: Sequence[Jar]) -> None:
        self._title = title
        self._sizes = [jar.size for jar in jars]
        self.jars = 0
        self.size = 0

    def line(self) -> str:
        """What users read of it. Of the whole nothing is said where a size is not known."""
        whole = f" of {sum(self._sizes) >> 20}" if all(self._sizes) else ""
        return f"Downloading {self._title}: {self.jars} of {len(self._sizes)} jars, {self.size >> 20}{whole} MiB"
