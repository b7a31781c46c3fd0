"""Decodes and validates what clients send, in one way for all dialects.

JSON, query strings and forms become msgspec structs. The structs' types hold the limits
(:mod:`auricle.values.limits`), and OpenAPI is generated from them. Errors name the field and never
repeat the value that was sent; each dialect reports them in its own format.
"""

import re
from collections.abc import Hashable, Iterable, Mapping
from functools import cache
from typing import Annotated, Any, TypeVar, cast, get_args, get_origin

import msgspec

from auricle.values.errors import BadRequest
from auricle.values.limits import MAX_MESSAGE_CHARACTERS

T = TypeVar("T")

MAX_LIST_VALUES = 1000
"""Maximum values of all lists of a form or a query together, twice the longest valid list: a list
is counted before it is split, as a list of a million empty values blocks the event loop."""

_FIELD = re.compile(r" - at `\$\.([a-z_]+)")
_VALUE = re.compile(r"(Invalid enum value) .*(?= - at )", re.DOTALL)
_FLAGS = {"yes": "true", "no": "false"}


class InvalidJson(BadRequest):
    """A text that is not JSON, or nested too deeply."""


def check_length(message: str | bytes) -> None:
    """Check that a text message of a live client is not too long to be parsed.

    Raises:
        BadRequest: It is too long.
    """
    if len(message) > MAX_MESSAGE_CHARACTERS:
        raise BadRequest(
            f"Text message is too long; send at most {MAX_MESSAGE_CHARACTERS} characters."
        )


def split_list(name: str, text: str) -> list[str]:
    """Return the values of a list with commas, without surrounding whitespace.

    Raises:
        BadRequest: There are more than ``MAX_LIST_VALUES``.
    """
    check_list(name, text)
    return [value.strip() for value in text.split(",")]


def check_list(name: str, text: str) -> None:
    """Check that a list with commas, or in JSON, is not too long to be parsed.

    Raises:
        BadRequest: There are more than ``MAX_LIST_VALUES``.
    """
    if text.count(",") >= MAX_LIST_VALUES:
        raise _too_many(name)


def _too_many(name: str) -> BadRequest:
    return BadRequest(f"{name} has too many values; send at most {MAX_LIST_VALUES}.", name)


def decode_json(text: str | bytes | bytearray | msgspec.Raw, into: type[T], what: str) -> T:
    """Decode a JSON text.

    Args:
        text: The text.
        into: The type of the result.
        what: The kind of text, for the error, such as "message".

    Raises:
        InvalidJson: It is not JSON.
        BadRequest: A value has the wrong type, or is out of range; ``field`` names it.
    """
    try:
        decoded: T = _decoder(cast(Hashable, into)).decode(text)
    except msgspec.ValidationError as error:
        raise _invalid(what, error) from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise InvalidJson(f"Invalid {what}: not valid JSON.") from None
    return decoded


def convert(
    values: Mapping[str, object], into: type[T], what: str, *, reads_text: bool = False
) -> T:
    """Convert values by name into a struct; ``None`` is the same as an absent value.

    Args:
        values: The values.
        into: The struct.
        what: The kind of values, for the error, such as "query".
        reads_text: Whether numbers and flags may be text.

    Raises:
        BadRequest: A value has the wrong type, or is out of range; ``field`` names it.
    """
    present = {name: value for name, value in values.items() if value is not None}
    try:
        return msgspec.convert(present, into, strict=not reads_text)
    except msgspec.ValidationError as error:
        raise _invalid(what, error) from None


def convert_texts(
    items: Iterable[tuple[str, str]], into: type[T], what: str, *, is_lenient: bool = False
) -> T:
    """Convert a query string or a form into a struct.

    Names may be repeated: a list has all values, any other field the last one.

    Args:
        items: Names and texts; names without a field are ignored.
        into: The struct.
        what: The kind of text, for the error, such as "query".
        is_lenient: The rules of other services: empty texts are the same as absent ones, flags may
            be ``yes`` and ``no``, and lists are repeated only. Auricle's have commas instead.

    Raises:
        BadRequest: A value has the wrong type or is out of range, or there are more than
            ``MAX_LIST_VALUES``; ``field`` names it.
    """
    fields = _fields(cast(Hashable, into))
    values: dict[str, Any] = {}
    listed = 0
    for name, text in items:
        if name not in fields:
            continue
        key, kind = fields[name]
        text = text.strip()
        if kind is list:
            parts = [text] if is_lenient else split_list(name, text)
            listed += len(parts)
            if listed > MAX_LIST_VALUES:
                raise _too_many(name)
            values.setdefault(key, []).extend(filter(None, parts))
        elif text and is_lenient and kind is bool:
            values[key] = _FLAGS.get(text.lower(), text)
        elif text or not is_lenient:
            values[key] = text
    return convert(values, into, what, reads_text=True)


@cache
def _decoder(into: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(into)


@cache
def _fields(struct: Any) -> Mapping[str, tuple[str, Any]]:
    """Return the key and the kind of each field by its name: ``list``, ``bool`` or another."""
    fields: dict[str, tuple[str, Any]] = {}
    for field in msgspec.structs.fields(struct):
        plain = get_args(field.type)[0] if get_origin(field.type) is Annotated else field.type
        kind = list if get_origin(plain) in (list, tuple) else plain
        fields[field.name] = field.encode_name, kind
    return fields


def _invalid(what: str, error: msgspec.ValidationError) -> BadRequest:
    reason = _VALUE.sub(r"\1", str(error)).rstrip(".")
    field = _FIELD.search(reason)
    return BadRequest(f"Invalid {what}: {reason}.", field and field[1])
