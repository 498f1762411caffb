"""JSON objects as they come from outside: read within bounds, with errors that name what is wrong."""

from __future__ import annotations

import msgspec

from commons.process.errors import Invalid
from protocol import codes

DEEPEST = 64


def parse_object(raw: bytes | bytearray, whole: str) -> dict[str, object]:
    """The object, whose texts hold no NUL, nested at most `DEEPEST` deep. `whole` is what errors call it.

    Raises Invalid naming the field and the fix.
    """
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid(codes.REQUEST_INVALID, f"the {whole} is not JSON in UTF-8: {error}", field=whole) from None
    except RecursionError:
        raise _too_deep(whole) from None
    if not isinstance(value, dict):
        raise Invalid(codes.REQUEST_INVALID, f"the {whole} must be a JSON object", field=whole)
    _check(value, b"\\u0000" in raw, whole)
    return value


def _check(value: object, may_hold_nul: bool, whole: str) -> None:
    """Refuse what is nested too deep, or a text with a NUL: neither has a meaning anywhere behind the door."""
    level = [("", value)]
    for _ in range(DEEPEST):
        inner: list[tuple[str, object]] = []
        for path, each in level:
            items = each.items() if isinstance(each, dict) else enumerate(each) if isinstance(each, list) else ()
            for name, item in items:
                if isinstance(item, (dict, list)):
                    inner.append((f"{path}{name}.", item))
                if may_hold_nul and (_has_nul(item) or _has_nul(name)):
                    field = f"{path}{name}".replace("\0", "")
                    raise Invalid(codes.REQUEST_INVALID, f"{field} holds a NUL character; remove it", field=field)
        if not inner:
            return
        level = inner
    raise _too_deep(whole)


def _has_nul(value: object) -> bool:
    return isinstance(value, str) and "\0" in value


def _too_deep(whole: str) -> Invalid:
    return Invalid(codes.REQUEST_INVALID, f"the {whole} is nested more than {DEEPEST} deep; flatten it", field=whole)
