import base64
import json
import os
import tracemalloc

import pytest

from auricle.server.uploads.json_audio import (
    MAX_FIELDS_BYTES,
    SLICE_CHARACTERS,
    THREAD_ABOVE_BYTES,
    parse_payload,
)
from auricle.values.errors import BadRequest
from auricle.values.limits import MAX_HOTWORD_CHARACTERS, MAX_HOTWORDS, MAX_PROMPT_CHARACTERS
from tests.support.service import in_base64

pytestmark = pytest.mark.unit


def body(audio: object, **fields: object) -> bytearray:
    return bytearray(json.dumps({"audio": audio, **fields}).encode())


@pytest.mark.parametrize(
    "size", [0, 1, 2, 3, 1000, THREAD_ABOVE_BYTES, SLICE_CHARACTERS * 3 // 4, 2_500_000]
)
async def test_audio_of_any_size_comes_out_as_it_went_in(size: int) -> None:
    audio = os.urandom(size)
    params, decoded = await parse_payload(body(in_base64(audio), job_id="a", unknown=[1]))
    assert decoded == audio
    assert params.job_id == "a"


async def test_escaped_slashes_are_read() -> None:
    audio = b"\xff" * 300
    escaped = in_base64(audio).replace("/", "\\/")
    _, decoded = await parse_payload(bytearray(f'{{"audio": "{escaped}"}}'.encode()))
    assert decoded == audio


GOOD = in_base64(b"x" * (SLICE_CHARACTERS * 3 // 4))


@pytest.mark.parametrize(
    "audio",
    [
        "not base64!",
        "YWJj\n",
        "YWJ",
        "YWI=YWJj",
        "=",
        "YW\\u0000",
        "data:audio/wav;base64,YWJj",
        base64.urlsafe_b64encode(b"\xff\xfe\xfd").decode(),
        GOOD[:-4] + "eHg=" + "YWJj",  # padding at the end of a slice
        GOOD + "!",
    ],
    ids=lambda audio: audio[:20],
)
async def test_what_is_not_base64_is_refused(audio: str) -> None:
    with pytest.raises(BadRequest, match="base64"):
        await parse_payload(body(audio))


@pytest.mark.parametrize("audio", [None, 5, ["YWJj"], {"a": "YWJj"}, True])
async def test_audio_that_is_no_string_is_refused(audio: object) -> None:
    with pytest.raises(BadRequest, match="audio must be a base64 string"):
        await parse_payload(body(audio))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"audio"',
        b"RIFF....WAVE",
        b"audio=YWJj",
        b'{"audio": "YWJj"',
        b'{"audio": "YWJj", "sample_rate": NaN}',
        b'{"audio": "YWJj", "sample_rate": 1e999}',
        b'{"audio": "YWJj", "sample_rate": "16000"}',
        b'{"audio": "YWJj", "hotwords": "a"}',
        b'{"audio": "YWJj", "task": 5}',
        b'{"audio": "\xff\xfe"}',
        b'{"audio": "\xff\\/"}',
        b'{"sample_rate": 16000}',
        b'{"audio": "YWJj", "x": ' + b"[" * 100_000,
    ],
    ids=lambda content: repr(content[:40]),
)
async def test_what_is_not_the_json_that_we_want_is_refused(content: bytes) -> None:
    with pytest.raises(BadRequest):
        await parse_payload(bytearray(content))


async def test_messages_do_not_repeat_what_was_sent() -> None:
    with pytest.raises(BadRequest) as caught:
        await parse_payload(body("YWJj", initial_prompt=["my secret words"]))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "fields",
    [
        b'"hotwords": [' + b'"",' * 8_000_000 + b'""]',
        b'"hotwords": [' + b'"abcdefgh",' * 2_000_000 + b'""]',
        b'"unknown": [' + b"1," * 12_000_000 + b"1]",
        b'"initial_prompt": "' + b"a" * 25_000_000 + b'"',
    ],
    ids=["empty", "words", "unknown", "prompt"],
)
async def test_fields_that_are_too_long_are_refused_before_they_cost_anything(
    fields: bytes,
) -> None:
    content = bytearray(b'{"audio": "YWJj", ' + fields + b"}")
    tracemalloc.start()
    try:
        with pytest.raises(BadRequest, match="other than audio"):
            await parse_payload(content)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


async def test_the_longest_fields_that_are_allowed_are_read_in_every_encoding() -> None:
    words = ["\u6f22" * MAX_HOTWORD_CHARACTERS] * MAX_HOTWORDS
    prompt = "\u6f22" * MAX_PROMPT_CHARACTERS
    content = body(GOOD, hotwords=words, initial_prompt=prompt)
    assert len(content) - len(GOOD) < MAX_FIELDS_BYTES
    params, _ = await parse_payload(content)
    assert params.options.hotwords == tuple(words)
    assert params.options.initial_prompt == prompt
