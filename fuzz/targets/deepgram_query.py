"""The query of ``/v1/listen``."""

from collections.abc import Iterator
from urllib.parse import parse_qsl

from auricle.errors import BadRequest
from auricle.languages import LANGUAGES
from auricle.protocol.deepgram import parameters_of
from auricle.protocol.deepgram_query import ENCODINGS, MAX_UTT_SPLIT_S, parse_listen
from auricle.protocol.native import (
    MAX_ENDPOINT_MS,
    MAX_HOTWORDS,
    Start,
    decode_command,
    encode_command,
)
from fuzz.mutation import query_mutation
from fuzz.target import Target

_WORDS = (
    *("encoding", "sample_rate", "channels", "multichannel", "language", "detect_language"),
    *("keyterm", "keywords", "interim_results", "endpointing", "utterance_end_ms", "vad_events"),
    *("smart_format", "punctuate", "dictation", "paragraphs", "utterances", "utt_split", "tag"),
    *("redact", "callback", "multi", "en-US", "hello:2", "hello:-3", ":", "300", "16000"),
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
    parameters = parameters_of(asked)
    start = Start(**{name: getattr(parameters, name) for name in parameters.__struct_fields__})
    assert decode_command(encode_command(start)) == start, "a session is asked for that can't be"


def seeds() -> Iterator[bytes]:
    """Give queries as the SDKs make them."""
    yield b"encoding=linear16&sample_rate=16000&channels=2&interim_results=true&endpointing=300"
    yield b"model=nova-3&language=multi&smart_format=true&keyterm=a&keyterm=b&utterance_end_ms=1000"
    yield b"encoding=mulaw&keywords=hello:2&keywords=there:-1&vad_events=1&punctuate=yes"
    yield b"endpointing=false&utt_split=0.5&utterances=true&paragraphs=true&tag=x&redact=pci"


TARGET = Target(run, seeds, query_mutation(_WORDS), words=tuple(w.encode() for w in _WORDS))
