"""Secrets in texts: found by the name of what holds them, and masked there and wherever else they turn up. Pure.

It takes time in proportion to the text, whatever is in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import unquote

MASK = "***"
MOST_KNOWN = 1000
LONGEST_KNOWN = 4096
SHORTEST_KNOWN = 4
LONG = 8
"""A value this long is masked wherever it turns up; a shorter one only as a word of its own, and if it is no word."""

T = TypeVar("T")

_NO_PASSWORD = "".join(rf"(?<!{word}[._\-])(?<!{word})" for word in ("num", "multi", "single", "first", "second"))
"""A "pass" that counts or orders."""
_NAME = (
    r"(?:passw(?:or)?[dt]s?"
    rf"|(?:(?<=[._\-'\"`?&])|\A|(?-i:(?<=[a-z\d])(?=P))){_NO_PASSWORD}(?:pass|pw)"
    r"|passphrase|pwd|secret|(?<!kubernetes\.)secrets|token|credentials?|cookie|authorization"
    # a plain number of them counts words of a language model
    r"|(?:(?<=['\"`])|\A|(?<=auth)|(?<=api)|(?<=access)|(?<=auth[._\-])|(?<=api[._\-])|(?<=access[._\-]))tokens"
    r"(?!['\"`]?\s*+[:=]\s*+['\"]?\d{1,9}\b)"
    r"|(?:api|access|secret|private|account|encryption|signing|master|shared|storage|keystore|sas)[._\- ]?key"
    r"|access[._\-]?key[._\-]?id|jaas[._\-]?config|user[._\-]?info|session[._\-]?id|ticket_id_v1|token[._\-]?code)"
    r"(?:\d{1,4}|v\d{1,3}|hash)?"
    r"(?:[._\-](?:\d{1,4}|v\d{1,3}|value|hash|old|new|prod|production|test|dev|stage|staging|live))?"
)
_FIRST_WORDS = (
    "pass", "pw", "secret", "token", "credential", "cookie", "authorization", "api", "access", "private", "account",
    "encryption", "signing", "master", "shared", "storage", "keystore", "sas", "jaas", "user", "session", "ticket_id",
)  # fmt: skip
"""What the names above begin with."""
_SECRET_NAME = re.compile(_NAME + r"\Z|account[._\-]key\.", re.I)
# Comments of SQL. What is repeated has a bound, so that a text of nothing but beginnings takes no longer.
_BLOCK = r"/\*[^*]{0,500}+\*++(?:[^/*][^*]{0,500}+\*++){0,8}+/"
_LINE = r"(?:--|//)[^\r\n]{0,500}+[\r\n]"
_COMMENTS = rf"(?:(?:{_BLOCK}|{_LINE})\s*+){{1,8}}+"
_NEXT_LINE = rf"[^\S\r\n]*+(?:{_BLOCK}[^\S\r\n]*+){{0,8}}+(?:[\r\n]|{_LINE})\s*+(?:{_COMMENTS})?+"
"""Between the parts of a literal of SQL that goes on in another line."""
_PREFIX = r"(?:n|u&|_[\w.:\-]{1,30}+)"
_LITERAL = r"[^']*+(?:''[^']*+)*+"
# The name, what closes its quotes, what parts it from its value, and the value in one of its forms. A quote that
# nothing closes holds the rest of its line.
_HELD = re.compile(
    rf"{_NAME}(?:(?<=account.key)\.[\w.\-]{{1,128}}+)?+(?![A-Za-z0-9])(?P<close>\\?['\"`])?"
    rf"(?P<between>\s*+(?:{_COMMENTS})?+(?P<mark>=>|:=|[:=])\s*+(?:{_COMMENTS}(?={_PREFIX}?+['\"`]))?+|\s++)"
    rf"(?P<prefix>{_PREFIX}(?=')|\$(?=['\"]))?+"
    r"(?:\\\"(?P<escaped>[^\"\\]*+)\\\""
    rf"|'(?P<single>{_LITERAL}(?(mark)(?:'{_NEXT_LINE}'{_LITERAL}(?='))*+))'"
    r'|"(?P<double>(?:[^"\\]++|\\.|"")*+)"'
    r"|`(?P<back>[^`]*+)`"
    r"|['\"`](?P<open>[^\n]++)"
    r"|(?(close)|(?<!:))(?:(?:Bearer|Basic|Digest|Token|ApiKey)[ \t]++)?"
    r"(?P<plain>(?:\\.|,(?=\S)|[}\]](?=[^\s,;}\]'\")])|[^\s,;'\"`()&|<>\\}\]])++))",
    re.I | re.S,
)
_PART = re.compile(rf"'(?P<part>{_LITERAL})'(?:{_NEXT_LINE})?+")
_ESCAPED = re.compile(r"\\((?!D[89A-F])[0-9A-F]{4})", re.I)
_FORMS = ("escaped", "single", "double", "back", "open", "plain")
_URL = re.compile(r"://[^\s/:@'\"`?#]*+:(?P<value>[^\s/'\"`]++(?<=@)|[^\s/'\"`]+(?=@))")
_BEARER = re.compile(r"\bBearer\s++(?P<value>(?=[A-Za-z._~+/=\-]*+\d)[A-Za-z0-9._~+/=\-]{8,})", re.I)
_KEY_FILE = re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----(?P<value>[^-]++)")

_BEFORE, _STATEMENT = 80, 300
_DEEPEST = 2
_SET = re.compile(r"(?:\A|[;\n@])\s*+SET\s++[\w.\-]*\Z", re.I)
_OPTION = re.compile(r"(?:\A|\s)--?[A-Za-z][\w.\-]*\Z")
_COLUMN = re.compile(r"\w++(?:\.\w++)++")
_REFERENCE = re.compile(r"\$\{[\w.]+\}|\$\w+|\$(?:\(.*)?|%s|\?", re.S)
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_NOTHING = frozenset(("", "true", "false", "null", "none", "nil"))
_PLAIN_WORD = re.compile(r"[^\W\d_]+|\d+")
_COMMON = frozenset(
    ("password", "passphrase", "username", "postgres", "postgresql", "localhost", "database", "changeit", "changeme",
     "administrator", "anonymous", "bootstrap", "streaming", "filesystem", "required", "undefined")
)  # fmt: skip
"""Words that logs are full of; whoever takes one for a password has none."""


@dataclass(frozen=True, slots=True)
class _Found:
    """Where a secret lies, and what it says without the marks of quoting."""

    start: int
    end: int
    value: str


@dataclass(frozen=True, slots=True)
class Secrets:
    """Values that nobody shall read. They do not show in `repr`."""

    values: tuple[str, ...] = ()
    """The longest first."""

    def __repr__(self) -> str:
        return f"Secrets({len(self.values)})"

    @classmethod
    def of(cls, *sources: object) -> Secrets:
        """What texts hold, and mappings (also nested ones) under names of secrets; and those of other Secrets."""
        known: dict[str, None] = {}
        for source in sources:
            for value in source.values if isinstance(source, Secrets) else _values(source):
                known |= dict.fromkeys(_ways_to_say(value))
        return cls(tuple(sorted(known, key=len, reverse=True)[:MOST_KNOWN]))

    def mask(self, text: str) -> str:
        """The text with these and with what else it tells to be a secret masked; all else is as it was."""
        return self._known(masked(text))

    def mask_all(self, value: T) -> T:
        """The same for a value as JSON has it: of mappings also what lies under names of secrets."""
        return _masked_all(value, self)

    def _known(self, text: str) -> str:
        for value in self.values:
            if value not in text:
                continue
            if len(value) >= LONG and not _PLAIN_WORD.fullmatch(value):
                text = text.replace(value, MASK)
            else:
                text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", MASK, text)
        return text


NONE = Secrets()


def masked(text: str) -> str:
    """The text with what it tells to be a secret masked."""
    parts, at = [], 0
    for found in _find(text):
        parts += [text[at : found.start], MASK]
        at = found.end
    return "".join([*parts, text[at:]]) if parts else text


def is_secret_name(name: str) -> bool:
    """Whether what has this name is a secret."""
    return _SECRET_NAME.search(name) is not None


def holds_mask(text: str) -> bool:
    """Whether a mask stands where a secret should be: a text that was masked, used as if it was not."""
    return MASK in text and any(found.value == MASK for found in _held(text))


def _find(text: str) -> list[_Found]:
    """The secrets in their places, in order, none within another."""
    lowered = _lowered(text)
    found = [*_held(text)]
    for mark, pattern in (("://", _URL), ("bearer", _BEARER), ("private key-----", _KEY_FILE)):
        if mark in lowered:
            found += [_Found(*one.span("value"), one["value"]) for one in pattern.finditer(text)]
    found.sort(key=lambda one: (one.start, -one.end))
    apart: list[_Found] = []
    for one in found:
        if _is_value(one.value) and (not apart or one.start >= apart[-1].end):
            apart.append(one)
    return apart


def _held(text: str) -> Iterator[_Found]:
    """What names of secrets stand for. A regular expression alone would take twenty times as long to find them."""
    lowered, at = _lowered(text), 0
    words = [word for word in _FIRST_WORDS if word in lowered]
    if not words:  # as most texts
        return
    for start in sorted(start for word in words for start in _places(lowered, word)):
        if start >= at and (one := _HELD.match(text, start)) is not None:
            form = next(form for form in _FORMS if one[form] is not None)
            if _holds(text, one, form):
                at = one.end()
                yield _Found(*one.span(form), _unquoted(one, form))


def _places(text: str, word: str) -> Iterator[int]:
    at = text.find(word)
    while at >= 0:
        yield at
        at = text.find(word, at + 1)


def _lowered(text: str) -> str:
    """In lower case, each character in its place."""
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else text.translate(_LOWER)


def _holds(text: str, one: re.Match[str], form: str) -> bool:
    """Whether what was matched is a name with its value, and not a comparison, a declaration or prose."""
    between, before = one["between"], text[max(0, one.start() - _BEFORE) : one.start()]
    mark = one["mark"]
    if mark is None:
        return one["close"] is None and not one[form].startswith("--") and _OPTION.search(before + "x") is not None
    if form != "plain" or one["close"]:
        return True
    if mark == ":":
        return not between[0].isspace()
    if _COLUMN.fullmatch(one["plain"]) and is_secret_name(one["plain"].rpartition(".")[2]):
        return False
    if mark == between:
        return True
    statement = text[max(0, one.start() - _STATEMENT) : one.start()].rpartition(";")[2]
    return _SET.search(before) is not None and not re.search(r"\bUPDATE\b", statement, re.I)


def _is_value(text: str) -> bool:
    return text.strip().lower() not in _NOTHING and not _REFERENCE.fullmatch(text) and text.strip("*") != ""


def _unquoted(one: re.Match[str], form: str) -> str:
    text = one[form]
    if form == "single":
        text = "".join(part["part"] for part in _PART.finditer(f"'{text}'")).replace("''", "'")
        unicode = (one["prefix"] or "").lower() == "u&"
        return _ESCAPED.sub(lambda letter: chr(int(letter[1], 16)), text) if unicode else text
    if form in ("double", "plain"):
        return re.sub(r'\\(.)|""', lambda pair: pair[1] or '"', text, flags=re.S)
    return text


def _values(source: object, depth: int = 0) -> Iterator[str]:
    if isinstance(source, str):
        for found in _find(source):
            yield source[found.start : found.end]
            yield found.value
            if depth < _DEEPEST:  # such as the password in a JAAS configuration
                yield from _values(found.value, depth + 1)
    elif isinstance(source, Mapping):
        for name, value in source.items():
            if is_secret_name(str(name)):
                yield from _leaves(value)
            yield from _values(value, depth)
    elif isinstance(source, list | tuple):
        for value in source:
            yield from _values(value, depth)


def _leaves(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _leaves(inner)
    elif isinstance(value, str | int | float) and not isinstance(value, bool) and _is_value(str(value)):
        yield str(value)


def _ways_to_say(value: str) -> Iterator[str]:
    """The value as it may turn up in logs: decoded, on one line, or line by line."""
    for way in (value, unquote(value), " ".join(value.split()), *value.splitlines()):
        if _is_telling(way := way.strip()):
            yield way


def _is_telling(value: str) -> bool:
    """Whether masking the value everywhere hides a secret, and does not turn what is read into stars."""
    if not SHORTEST_KNOWN <= len(value) <= LONGEST_KNOWN or value.lower() in _COMMON or not value.strip("*"):
        return False
    return len(value) >= LONG or not _PLAIN_WORD.fullmatch(value)


def _masked_all(value: T, secrets: Secrets, *, secret: bool = False) -> T:
    if isinstance(value, Mapping):
        return {  # type: ignore[return-value]  # a mapping stays one
            name: _masked_all(inner, secrets, secret=secret or is_secret_name(str(name)))
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_masked_all(inner, secrets, secret=secret) for inner in value]  # type: ignore[return-value]
    if secret and isinstance(value, str | int | float) and not isinstance(value, bool):
        return MASK if _is_value(str(value)) else value  # type: ignore[return-value]
    return secrets.mask(value) if isinstance(value, str) else value  # type: ignore[return-value]
