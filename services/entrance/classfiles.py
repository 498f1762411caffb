"""A Java class file, as far as it tells whether one can start it: its name, its parent, its `main`."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_PUBLIC_STATIC = 0x0009
_MAIN, _TAKES_ARGUMENTS = b"main", b"([Ljava/lang/String;)V"
_SIZES = {3: 4, 4: 4, 5: 8, 6: 8, 7: 2, 8: 2, 9: 4, 10: 4, 11: 4, 12: 4, 15: 3, 16: 2, 17: 4, 18: 4, 19: 2, 20: 2}
"""Bytes of a constant behind its tag; texts (1) say their own."""


@dataclass(frozen=True, slots=True)
class ClassFile:
    """Names with dots; `parent` is empty only of java.lang.Object."""

    name: str
    parent: str
    has_main: bool
    """public static void main(String[])"""


def may_have_main(content: bytes) -> bool:
    """False when it has none for sure; so most need not be parsed."""
    return b"\x01\x00\x04main" in content and _TAKES_ARGUMENTS in content


def parse(content: bytes) -> ClassFile | None:
    """None when it is no class file."""
    try:
        return _parsed(content)
    except (struct.error, IndexError, KeyError, UnicodeDecodeError):
        return None


def _parsed(content: bytes) -> ClassFile | None:
    magic, count = struct.unpack_from(">I4xH", content)
    if magic != 0xCAFEBABE:
        return None
    constants, at = _constants(content, count)
    _, this, parent, interfaces = struct.unpack_from(">4H", content, at)
    at = _behind_members(content, at + 8 + 2 * interfaces)[1]
    methods, at = _behind_members(content, at)
    if at > len(content):
        return None
    has_main = any(
        access & _PUBLIC_STATIC == _PUBLIC_STATIC
        and constants[name] == _MAIN
        and constants[descriptor] == _TAKES_ARGUMENTS
        for access, name, descriptor in methods
    )
    return ClassFile(_class_name(constants, this), _class_name(constants, parent) if parent else "", has_main)


def _constants(content: bytes, count: int) -> tuple[dict[int, bytes], int]:
    """The constants by number, and where the next part begins."""
    constants, at, number = {}, 10, 1
    while number < count:
        tag = content[at]
        size = 2 + struct.unpack_from(">H", content, at + 1)[0] if tag == 1 else _SIZES[tag]
        constants[number] = content[at + 3 if tag == 1 else at + 1 : at + 1 + size]
        at += 1 + size
        number += 2 if tag in (5, 6) else 1
    return constants, at


def _behind_members(content: bytes, at: int) -> tuple[list[tuple[int, int, int]], int]:
    """Fields or methods as access, number of the name, number of the descriptor; and where the next part begins."""
    members = []
    (count,) = struct.unpack_from(">H", content, at)
    at += 2
    for _ in range(count):
        access, name, descriptor, attributes = struct.unpack_from(">4H", content, at)
        members.append((access, name, descriptor))
        at += 8
        for _ in range(attributes):
            at += 6 + struct.unpack_from(">I", content, at + 2)[0]
    return members, at


def _class_name(constants: dict[int, bytes], number: int) -> str:
    return constants[struct.unpack(">H", constants[number])[0]].decode().replace("/", ".")
