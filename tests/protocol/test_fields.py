import json
import math
from functools import partial
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta

from auricle.apis.asr_webservice.wire.query import parse_asr
from auricle.apis.deepgram.wire.query import parse_listen
from auricle.apis.native.wire.stream import decode_command
from auricle.apis.openai.wire.transcription_form import read_form
from auricle.apis.openai_realtime.wire.config import RealtimeConfig, decode_session
from auricle.protocol.fields import (
    MAX_LIST_VALUES,
    InvalidJson,
    check_length,
    convert,
    convert_texts,
    decode_json,
)
from auricle.server.uploads.params import Fields
from auricle.values.errors import BadRequest
from auricle.values.limits import (
    MAX_HOTWORD_CHARACTERS,
    MAX_HOTWORDS,
    MAX_MESSAGE_CHARACTERS,
    MAX_PROMPT_CHARACTERS,
    MAX_RATE_HZ,
    MIN_RATE_HZ,
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


def forms(name: str) -> dict[str, list[str]]:
    """Return lists that are too long: one text with commas, one in JSON, and many short ones."""
    half = MAX_LIST_VALUES // 2
    return {
        f"{name}, commas": ["," * MAX_LIST_VALUES],
        f"{name}, JSON": [json.dumps([""] * (MAX_LIST_VALUES + 1))],
        f"{name}, several": ["," * half] * 3,
    }


OPENAI_LISTS = ("keywords", "languages", "timestamp_granularities")
LONG_LISTS = {
    **{
        f"openai: {case}": (partial(read_form, {name: texts}, Task.TRANSCRIBE), name)
        for name in OPENAI_LISTS
        for case, texts in forms(name).items()
    },
    **{
        f"openai: {name}, JSON": (
            partial(read_form, {name: forms(name)[f"{name}, JSON"]}, Task.TRANSCRIBE),
            name,
        )
        for name in ("known_speaker_names", "known_speaker_references")
    },
    "asr": (partial(parse_asr, [("hotwords", "," * MAX_LIST_VALUES)]), "hotwords"),
    "deepgram": (partial(parse_listen, [("redact", "," * MAX_LIST_VALUES)]), "redact"),
    "native": (
        partial(convert_texts, [("hotwords", "," * MAX_LIST_VALUES)], Fields, "query"),
        "hotwords",
    ),
}


@pytest.mark.parametrize(("parse", "name"), LONG_LISTS.values(), ids=LONG_LISTS)
def test_long_lists_are_refused_before_they_are_split(parse: Any, name: str) -> None:
    """A list of a million empty values blocked the event loop for seconds, and was accepted."""
    with pytest.raises(BadRequest, match=f"{name} has too many values") as raised:
        parse()
    assert raised.value.field == name


@pytest.mark.parametrize("text", ["5 s", "1e400", "nan", "perhaps", "61"])
def test_other_texts_are_rejected(text: str) -> None:
    with pytest.raises(BadRequest) as raised:
        convert_texts([("seconds", text)], Shape, "query")
    assert raised.value.field == "seconds"


def test_the_length_of_a_message_is_limited() -> None:
    check_length(" " * MAX_MESSAGE_CHARACTERS)
    with pytest.raises(BadRequest, match=f"at most {MAX_MESSAGE_CHARACTERS} characters"):
        check_length(" " * (MAX_MESSAGE_CHARACTERS + 1))


def native_live(**fields: Any) -> object:
    return decode_command(msgspec.json.encode({"type": "start", **fields}))


def native_file(**fields: Any) -> object:
    return convert(fields, Fields, "body")


def openai_live(**fields: Any) -> object:
    names = {"hotwords": "keywords", "prompt": "prompt"}
    transcription = {names[name]: value for name, value in fields.items() if name in names}
    audio = {"transcription": transcription}
    if "sample_rate" in fields:
        audio["format"] = {"type": "audio/pcm", "rate": fields["sample_rate"]}
    session = msgspec.json.encode({"audio": {"input": audio}})
    return RealtimeConfig().merged(decode_session(session))


def openai_file(**fields: Any) -> object:
    return read_form({"keywords": fields["hotwords"]}, Task.TRANSCRIBE)


def deepgram(**fields: Any) -> object:
    items = [("keyterm", f"{word}{n}") for n, word in enumerate(fields.get("hotwords", ()))]
    rate = [("sample_rate", str(fields.get("sample_rate", MIN_RATE_HZ)))]
    return parse_listen([*items, *rate, ("encoding", "linear16")])


@pytest.mark.parametrize("parse", [native_live, native_file, openai_live, openai_file, deepgram])
def test_every_dialect_accepts_the_same_hotwords(parse: Any) -> None:
    longest = "x" * (MAX_HOTWORD_CHARACTERS - 3)
    parse(hotwords=[longest] * MAX_HOTWORDS)
    for beyond in (["x"] * (MAX_HOTWORDS + 1), ["x" * (MAX_HOTWORD_CHARACTERS + 1)]):
        with pytest.raises(BadRequest):
            parse(hotwords=beyond)


@pytest.mark.parametrize(
    ("parse", "name"),
    [(native_live, "prompt"), (native_file, "initial_prompt"), (openai_live, "prompt")],
)
def test_every_dialect_accepts_the_same_prompts(parse: Any, name: str) -> None:
    parse(**{name: "x" * MAX_PROMPT_CHARACTERS})
    with pytest.raises(BadRequest):
        parse(**{name: "x" * (MAX_PROMPT_CHARACTERS + 1)})


@pytest.mark.parametrize("parse", [native_live, native_file, openai_live, deepgram])
def test_every_dialect_accepts_the_same_sample_rates(parse: Any) -> None:
    for rate_hz in (MIN_RATE_HZ, MAX_RATE_HZ):
        parse(sample_rate=rate_hz)
    for rate_hz in (MIN_RATE_HZ - 1, MAX_RATE_HZ + 1):
        with pytest.raises(BadRequest):
            parse(sample_rate=rate_hz)
