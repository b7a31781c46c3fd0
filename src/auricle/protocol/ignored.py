"""Report request options that have no effect, without rejecting the request.

Clients of other services set options that this server does not support. The transcript is still
useful, but a client must be able to see that, for example, speakers were not separated.
"""

import re
from collections.abc import Container, Iterable, Mapping

import msgspec

WARNINGS_HEADER = "x-auricle-warnings"
"""The response header that lists ignored options, for all response formats."""

_BEGINNING_BYTES = 16
MAX_OPTIONS = 20
"""Maximum number of options listed."""

MAX_WARNINGS = 20
"""Maximum number of warnings that wait for a message that has room for them."""

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,40}")
_OFF = frozenset({"", "false", "0", "0.0", "no", "none", "null", "off", "[]", "{}"})


def ignored_options(options: Iterable[tuple[str, str]], known: Container[str]) -> tuple[str, ...]:
    """Return a warning for each unknown option that is enabled.

    Args:
        options: Names and values; long values may be truncated.
        known: Names of options that have an effect or that need no warning.
    """
    ignored = dict.fromkeys(
        name
        for name, value in options
        if name not in known and value.strip(' "').lower() not in _OFF and _NAME.fullmatch(name)
    )
    return tuple(
        f"{name} is not supported and has no effect." for name in list(ignored)[:MAX_OPTIONS]
    )


def field_beginnings(fields: Mapping[str, msgspec.Raw]) -> list[tuple[str, str]]:
    """Return the field names of a JSON object and the beginnings of their values."""
    return [
        (name, bytes(memoryview(raw)[:_BEGINNING_BYTES]).decode(errors="replace"))
        for name, raw in fields.items()
    ]


def warning_headers(warnings: tuple[str, ...]) -> Mapping[str, str]:
    """Return the response header with the warnings, or no header without warnings."""
    text = " ".join(warnings).encode("ascii", "replace").decode()
    return {WARNINGS_HEADER: text} if warnings else {}
