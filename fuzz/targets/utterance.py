"""What is asked for at ``POST /utterance``: ``[kind][JSON or query]``."""

from base64 import b64encode
from collections.abc import Iterator

from starlette.datastructures import QueryParams

from auricle.server.uploads.json_audio import parse_payload
from auricle.server.uploads.params import (
    Fields,
    TranscriptionParams,
    check,
    parse_query,
)
from auricle.values.audio_formats import FORMAT_OPTIONS
from auricle.values.errors import BadRequest, UnsupportedFormat
from auricle.values.languages import LANGUAGES
from auricle.values.limits import MAX_RATE_HZ, MIN_RATE_HZ
from auricle.values.types import MAX_BEAM_SIZE
from fuzz.mutation import json_mutation, query_mutation, tagged
from fuzz.target import Target

MODULES = ("auricle.server.uploads.json_audio", "auricle.server.uploads.params")
_WORDS = (*Fields.__struct_fields__, "audio", "auto", "pcm16", "translate", "en", "9" * 400)


def run(data: bytes) -> None:
    """Read it as what it says it is."""
    if not data:
        return
    try:
        ask = _query(data[1:]) if data[0] % 2 else _payload(data[1:])
    except (BadRequest, UnsupportedFormat):
        return
    assert ask.audio_format in FORMAT_OPTIONS
    assert MIN_RATE_HZ <= ask.sample_rate_hz <= MAX_RATE_HZ
    assert 1 <= ask.options.beam_size <= MAX_BEAM_SIZE
    assert ask.options.language is None or ask.options.language in LANGUAGES
    assert ask.job_id.isprintable()
    assert ask.trace_id.isascii()


def _query(text: bytes) -> TranscriptionParams:
    return check(parse_query(QueryParams(text.decode("latin-1"))))


def _payload(body: bytes) -> TranscriptionParams:
    try:
        parse_payload(bytearray(body)).send(None)  # what is small waits for nothing
    except StopIteration as done:
        ask: TranscriptionParams
        ask, audio = done.value
        assert len(audio) <= len(body) * 3 // 4, "more audio than came"
        return ask
    raise AssertionError("it waits")


def seeds() -> Iterator[bytes]:
    """Give all fields in both shapes, and what C code can't hold."""
    audio = b64encode(bytes(range(200, 230)))
    yield b'\0{"audio":"' + audio + b'","language":"en","hotwords":["a"],"beam_size":1}'
    yield (
        b'\0{"audio":"' + audio.replace(b"/", b"\\/") + b'","sample_rate":8000,"task":"translate"}'
    )
    yield b'\0{"job_id":"a","trace_id":"b","max_wait_s":1.5,"word_timestamps":true,"audio":""}'
    yield b'\0{"audio":"","opus_packet_bytes":80,"initial_prompt":"x","src_lang":null}'
    yield b"\1audio_format=pcm16&sample_rate=16000&hotwords=a,b&hotwords=c&word_timestamps=1"
    yield b"\1job_id=a&language=de&max_wait_s=2.5&condition_on_previous_text=true&task=transcribe"


TARGET = Target(
    run,
    seeds,
    tagged((json_mutation(_WORDS), query_mutation(_WORDS))),
    words=tuple(f'"{word}"'.encode() for word in _WORDS),
    loop_bytes=2**17,
)
