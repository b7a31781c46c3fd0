import math
from typing import Annotated

import msgspec
import pytest
from msgspec import Meta

from auricle.protocol.fields import (
    MAX_LIST_VALUES,
    InvalidJson,
    check_length,
    convert,
    convert_texts,
    decode_json,
)
from auricle.values.errors import BadRequest
from auricle.values.limits import (
    MAX_MESSAGE_CHARACTERS,
)
from auricle.values.types import Task

pytestmark = pytest.mark.unit


class Shape(msgspec.Struct, rename={"names": "names[]"}):
    seconds: Annotated[int, Meta(ge=1, le=60)] = 60
    is_on: bool = False
    names: Annotated[tuple[Annotated[str, Meta(max_length=5)], ...], Meta(max_length=3)] = ()
    kind: Task = Task.TRANSCRIBE


def test_json_may_have_unknown_fields() -> None:
    assert decode_json(b'{"seconds": 5, "new": []}', Shape, "body") == Shape(5)


@pytest.mark.parametrize("text", ["{", "", b"\xff", b'{"new": ' + b"[" * 100_000])
def test_text_that_is_not_json(text: str | bytes) -> None:
    with pytest.raises(InvalidJson, match="^Invalid body: not valid JSON.$"):
        decode_json(text, Shape, "body")


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("[]", None),
        ('{"seconds": "a"}', "seconds"),
        ('{"seconds": 5.5}', "seconds"),
        ('{"seconds": 61}', "seconds"),
        ('{"kind": "secret"}', "kind"),
        ('{"names[]": ["a", "secret"]}', "names"),
    ],
)
def test_an_error_names_the_field_and_not_its_value(text: str, field: str | None) -> None:
    with pytest.raises(BadRequest, match="^Invalid body: ") as raised:
        decode_json(text, Shape, "body")
    assert raised.value.field == field
    assert "secret" not in str(raised.value)


def test_none_is_the_same_as_an_absent_value() -> None:
    assert convert({"seconds": None, "is_on": True}, Shape, "body") == Shape(is_on=True)


@pytest.mark.parametrize("value", ["5", math.nan, math.inf, 10**400, True])
def test_values_keep_their_types(value: object) -> None:
    with pytest.raises(BadRequest) as raised:
        convert({"seconds": value}, Shape, "body")
    assert raised.value.field == "seconds"


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([], Shape()),
        ([("seconds", "5"), ("seconds", " 6 "), ("unknown", "1")], Shape(6)),
        ([("names", "a, b"), ("names", "c")], Shape(names=("a", "b", "c"))),
        ([("names", ", ,")], Shape()),
        *(([("is_on", text)], Shape(is_on=True)) for text in ("1", "true", "True")),
        *(([("is_on", text)], Shape()) for text in ("0", "false", "False")),
    ],
)
def test_texts_become_the_types_of_their_fields(
    items: list[tuple[str, str]], expected: Shape
) -> None:
    assert convert_texts(items, Shape, "query") == expected


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([("seconds", ""), ("is_on", " "), ("names", "")], Shape()),
        ([("seconds", "5"), ("seconds", "")], Shape(5)),
        ([("is_on", "Yes")], Shape(is_on=True)),
        ([("is_on", "no")], Shape()),
        ([("names", "a,b")], Shape(names=("a,b",))),
    ],
)
def test_the_rules_of_other_services(items: list[tuple[str, str]], expected: Shape) -> None:
    assert convert_texts(items, Shape, "form", is_lenient=True) == expected


@pytest.mark.parametrize("is_lenient", [False, True], ids=["auricle", "others"])
def test_repeated_fields_are_counted(*, is_lenient: bool) -> None:
    def read(number: int) -> Shape:
        items = (("names", "") for _ in range(number))
        return convert_texts(items, Shape, "form", is_lenient=is_lenient)

    assert read(MAX_LIST_VALUES) == Shape()
    with pytest.raises(BadRequest, match="names has too many values") as raised:
        read(10**9)
    assert raised.value.field == "names"


@pytest.mark.parametrize("text", ["5 s", "1e400", "nan", "perhaps", "61"])
def test_other_texts_are_rejected(text: str) -> None:
    with pytest.raises(BadRequest) as raised:
        convert_texts([("seconds", text)], Shape, "query")
    assert raised.value.field == "seconds"


def test_the_length_of_a_message_is_limited() -> None:
    check_length(" " * MAX_MESSAGE_CHARACTERS)
    with pytest.raises(BadRequest, match=f"at most {MAX_MESSAGE_CHARACTERS} characters"):
        check_length(" " * (MAX_MESSAGE_CHARACTERS + 1))
