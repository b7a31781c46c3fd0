"""The limits of fields are the same in every API."""

import json
from functools import partial
from typing import Any

import msgspec
import pytest

from auricle.apis.deepgram.wire.query import parse_listen
from auricle.apis.native.wire.stream import decode_command
from auricle.apis.openai.wire.transcription_form import read_form
from auricle.apis.openai_realtime.wire.config import RealtimeConfig, decode_session
from auricle.protocol.fields import (
    MAX_LIST_VALUES,
    convert,
    convert_texts,
)
from auricle.server.uploads.params import Fields
from auricle.values.errors import BadRequest
from auricle.values.limits import (
    MAX_HOTWORD_CHARACTERS,
    MAX_HOTWORDS,
    MAX_PROMPT_CHARACTERS,
    MAX_RATE_HZ,
    MIN_RATE_HZ,
)
from auricle.values.types import Task

pytestmark = pytest.mark.unit


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
