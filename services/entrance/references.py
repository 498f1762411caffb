"""What artifacts are called: names, versions, and the texts by which requests and jobs mean them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from commons.process.errors import Invalid
from protocol import codes

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_VERSION = re.compile(r"v(\d{6,9})", re.A)
_CONTENT = re.compile(r"resource_(\d{3})(.+)", re.A)
"""How Linkis' once jobs mean a version: `resource_036<id>v000001`, with the length of the id."""
_USER = re.compile(r"[A-Za-z0-9_.]{1,20}")


@dataclass(frozen=True, slots=True)
class Reference:
    """Which artifact is meant: by `id`; or by `name`, of `owner` or of whoever asks. `number` 0: the newest version."""

    text: str
    id: str = ""
    owner: str = ""
    name: str = ""
    number: int = 0

    def with_version(self, version: str, field: str) -> Reference:
        """The same with a version that was given apart; none leaves it as it is. Raises Invalid."""
        if not version:
            return self
        number = version_number(version, field)
        if self.number not in (0, number):
            what = f"{self.text} names another version than {version}; give one of them"
            raise Invalid(codes.FIELD_INVALID, what, field=field)
        return replace(self, number=number)


def parse_reference(text: str, field: str) -> Reference:
    """An id, a name or `<owner>/<name>`, each with or without `@<version>`; or Linkis' `resource_036<id>v000001`.

    Raises Invalid naming the field.
    """
    text = text.strip()
    content = _CONTENT.fullmatch(text)
    if content is not None:
        length = int(content[1])
        id, version = content[2][:length], content[2][length:]
        if _ID.fullmatch(id) and _VERSION.fullmatch(version):
            return Reference(text, id=id, number=version_number(version, field))
    rest, at, version = text.partition("@")
    number = version_number(version, field) if at else 0
    owner, slash, name = rest.rpartition("/")
    if not slash and _ID.fullmatch(name):
        return Reference(text, id=name, number=number)
    if not _NAME.fullmatch(name) or (slash and not _USER.fullmatch(owner)):
        what = f"{text[:80]!r} names no artifact; write its id, its name or <owner>/<name>, then @v000001 if need be"
        raise Invalid(codes.FIELD_INVALID, what, field=field)
    return Reference(text, owner=owner, name=name, number=number)


def is_name(name: str) -> bool:
    """Whether an artifact may have it."""
    return _NAME.fullmatch(name) is not None and not _ID.fullmatch(name) and not _CONTENT.fullmatch(name)


def checked_name(name: str, field: str) -> str:
    """The name, if an artifact may have it. Raises Invalid."""
    if not is_name(name):
        what = f"{name[:60]!r} cannot be an artifact's name: 1 to 100 of letters, digits, _ . - and no id"
        raise Invalid(codes.FIELD_INVALID, what, field=field)
    return name


def default_name(file_name: str) -> str:
    """What an artifact is called after its file: a jar without its ending; empty when no name comes of it."""
    name = file_name[:-4] if is_jar_name(file_name) else file_name
    return name if is_name(name) else ""


def is_jar_name(file_name: str) -> bool:
    return file_name.lower().endswith(".jar")


def version_name(number: int) -> str:
    """Such as v000001."""
    return f"v{number:06d}"


def version_number(version: str, field: str) -> int:
    """Raises Invalid when it is no version."""
    found = _VERSION.fullmatch(version)
    if found is None or int(found[1]) == 0 or version != version_name(int(found[1])):
        raise Invalid(codes.FIELD_INVALID, f"a version is such as v000001, not {version[:30]!r}", field=field)
    return int(found[1])
