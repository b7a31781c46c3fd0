"""The query of ``/v1/listen``, and what is answered to it for a file that says its tags."""

from collections.abc import Iterator
from urllib.parse import parse_qsl

import msgspec

from auricle.apis.deepgram.wire.live import parameters_of
from auricle.apis.deepgram.wire.query import (
    ENCODINGS,
    MAX_UTT_SPLIT_S,
    Listen,
    message_filters,
    parse_listen,
)
from auricle.apis.deepgram.wire.results import Metadata, ModelInfo, file_body
from auricle.apis.native.wire.stream import Start, decode_command, encode_command
from auricle.text.formats.spoken_words import plain
from auricle.values.errors import BadRequest
from auricle.values.languages import LANGUAGES
from auricle.values.limits import MAX_ENDPOINT_MS, MAX_HOTWORDS
from auricle.values.types import Segment, Transcript, Word
from fuzz.mutation import query_mutation
from fuzz.target import Target

MODULES = ("auricle.apis.deepgram.wire.query", "auricle.apis.deepgram.wire.results")
_ID = "5b1d2a8e-0000-4000-8000-000000000000"
_METADATA = Metadata(_ID, "0" * 64, "now", ModelInfo("base", "1", "whisper"))
_WORDS = (
    *("encoding", "sample_rate", "channels", "multichannel", "language", "detect_language"),
    *("keyterm", "keywords", "interim_results", "endpointing", "utterance_end_ms", "vad_events"),
    *("smart_format", "punctuate", "dictation", "paragraphs", "utterances", "utt_split", "tag"),
    *(
        "redact",
        "numerals",
        "replace",
        "search",
        "true",
        "pci",
        "callback",
        "multi",
        "en-US",
        "hello:2",
        "hello:-3",
        ":",
        "300",
        "16000",
    ),
    *ENCODINGS,
)


def run(data: bytes) -> None:
    """Read a query; the session that it asks for must be one that the native protocol knows."""
    items = parse_qsl(data.decode(errors="replace"), keep_blank_values=True)
    try:
        asked = parse_listen(items)
    except BadRequest:
        return
    assert asked.language is None or asked.language in LANGUAGES
    assert len(asked.hotwords) <= MAX_HOTWORDS
    assert 0 < asked.endpoint_ms <= MAX_ENDPOINT_MS
    assert 0 < asked.utt_split_s <= MAX_UTT_SPLIT_S
    _answer(asked)
    parameters = parameters_of(asked)
    start = Start(**{name: getattr(parameters, name) for name in parameters.__struct_fields__})
    assert decode_command(encode_command(start)) == start, "a session is asked for that can't be"


def _answer(asked: Listen) -> None:
    segments = []
    for number, text in enumerate(asked.tags):
        start, end = number * 20_000, number * 20_000 + 16_000
        words = tuple(Word(start, end, f" {word}", 0.5) for word in text.split())
        segments.append(Segment(start, end, text, words if number % 4 else None))
    text = " ".join(asked.tags)
    transcript = Transcript(text, "en", 0.5, 480_000, tuple(segments))
    body = msgspec.json.decode(msgspec.json.encode(file_body(transcript, asked, _METADATA)))
    found = body["results"]["channels"][0]["alternatives"][0]
    filters = message_filters(
        writes_numerals=asked.writes_numerals, replacements=asked.replacements
    )
    text = filters.transcript(transcript).text
    shown = text.strip() if asked.punctuates else plain(text)
    assert found["transcript"] == shown
    channel = body["results"]["channels"][0]
    assert [each["query"] for each in channel.get("search", [])] == list(asked.search)
    assert all(word["word"] for word in found["words"]), "a word without letters"
    assert all(("punctuated_word" in word) == asked.punctuates for word in found["words"])


def seeds() -> Iterator[bytes]:
    """Give queries as the SDKs make them."""
    yield b"encoding=linear16&sample_rate=16000&channels=2&interim_results=true&endpointing=300"
    yield b"model=nova-3&language=multi&smart_format=true&keyterm=a&keyterm=b&utterance_end_ms=1000"
    yield b"encoding=mulaw&keywords=hello:2&keywords=there:-1&vad_events=1&punctuate=yes"
    yield b"endpointing=false&utt_split=0.5&utterances=true&paragraphs=true&tag=x&redact=pci"
    yield b"numerals=true&redact=pci,email&punctuate=1&tag=Twenty five.&tag=one of them"
    yield b"replace=one:two&replace=so&search=twenty five&search=Five&tag=Twenty five.&tag=So one."
    yield b"tag=One two.&tag=Three%21&tag=&tag='n' 3.5&tag=four&utterances=1&smart_format=1"
    yield b"tag=One two.&tag=%22Three%22&utterances=1&utt_split=0.1&detect_language=true"


TARGET = Target(
    run, seeds, query_mutation(_WORDS), words=tuple(w.encode() for w in _WORDS), loop_bytes=2**12
)
