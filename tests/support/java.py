"""Class files and jars, made here: no test needs a compiler."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping

MAIN = ("main", "([Ljava/lang/String;)V", 0x0009)
OBJECT = "java.lang.Object"


def class_file(name: str, *methods: tuple[str, str, int], parent: str = OBJECT) -> bytes:
    """A class with these methods (name, descriptor, access), without code."""
    texts = [name.replace(".", "/"), parent.replace(".", "/"), "Code", *(text for m in methods for text in m[:2])]
    constants = [struct.pack(">BH", 1, len(text.encode())) + text.encode() for text in texts]
    constants += [struct.pack(">BQ", 5, 7)]  # a long takes two numbers
    behind = len(texts) + 3
    constants += [struct.pack(">BH", 7, 1), struct.pack(">BH", 7, 2)]
    body = b""
    for index, (_, _, access) in enumerate(methods):
        body += struct.pack(">4H", access, 4 + 2 * index, 5 + 2 * index, 1) + struct.pack(">HI", 3, 2) + b"\0\0"
    head = struct.pack(">IHHH", 0xCAFEBABE, 0, 52, behind + 2) + b"".join(constants)
    return (
        head + struct.pack(">5H", 0x0021, behind, behind + 1, 0, 0) + struct.pack(">H", len(methods)) + body + b"\0\0"
    )


def jar(entries: Mapping[str, bytes | str] | None = None, manifest: str | None = "Main-Class: a.Main\r\n") -> bytes:
    """A jar with a manifest, unless it is None; by default with one class that can be started."""
    content = io.BytesIO()
    parts = {"a/Main.class": class_file("a.Main", MAIN)} if entries is None else entries
    head = {} if manifest is None else {"META-INF/MANIFEST.MF": f"Manifest-Version: 1.0\r\n{manifest}\r\n"}
    with zipfile.ZipFile(content, "w") as archive:
        for name, entry in {**head, **parts}.items():  # without times, so that equal jars are equal files
            archive.writestr(zipfile.ZipInfo(name), entry, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def pom(flink: str) -> dict[str, str]:
    """The pom that Maven puts into a jar, whose Flink is this."""
    return {
        "META-INF/maven/com.example/job/pom.xml": "<project><properties><flink.version>"
        f"{flink}</flink.version></properties></project>"
    }
