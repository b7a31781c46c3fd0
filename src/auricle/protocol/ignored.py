"""Options that a request names and that have no effect: each is reported, none is refused. Pure.

Clients of other services set options that this server doesn't have. The text is still what they
asked for, but they must be able to see that nobody told the speakers apart, for example.
"""

import re
from collections.abc import Container, Iterable, Mapping

import msgspec

WARNINGS_HEADER = "x-auricle-warnings"
"""Where a response says so, whatever its body is."""

_BEGINNING_BYTES = 16
MAX_OPTIONS = 20
"""Further ones are not listed."""

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,40}")
_OFF = frozenset({"", "false", "0", "0.0", "no", "none", "null", "off", "[]", "{}"})


def ignored_options(given: Iterable[tuple[str, str]], known: Container[str]) -> tuple[str, ...]:
    """Return a warning for each option that is switched on and not known.

    Args:
        given: Names and values; of a long value the beginning is enough.
        known: Names of options that have an effect, or need none.
    """
    found = dict.fromkeys(
        name
        for name, value in given
        if name not in known and value.strip(' "').lower() not in _OFF and _NAME.fullmatch(name)
    )
    return tuple(
        f"{name} is not supported and has no effect." for name in list(found)[:MAX_OPTIONS]
    )


def field_beginnings(json: str | bytes | bytearray) -> list[tuple[str, str]]:
    """Return the names of an object's fields and how their values begin.

    None are returned if a name is not UTF-8: parsers that skip unknown fields accept that.
    """
    try:
        fields = msgspec.json.decode(json, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return []
    return [
        (name, bytes(memoryview(raw)[:_BEGINNING_BYTES]).decode(errors="replace"))
        for name, raw in fields.items()
    ]


def warning_headers(warnings: tuple[str, ...]) -> Mapping[str, str]:
    """Return the header that reports warnings; none if there are none."""
    text = " ".join(warnings).encode("ascii", "replace").decode()
    return {WARNINGS_HEADER: text} if warnings else {}
