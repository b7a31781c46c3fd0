"""OpenAI's form fields, as a query ``name=value&…``, and answers in all formats."""

from collections import defaultdict
from collections.abc import Iterator
from urllib.parse import parse_qsl

import msgspec

from auricle.apis.openai.wire.transcription_form import FIELDS, Format, SpeechRequest, read_form
from auricle.apis.openai.wire.transcriptions import delta_event, done_event, encode_answer
from auricle.values.errors import BadRequest
from auricle.values.languages import LANGUAGES
from auricle.values.limits import MAX_HOTWORD_CHARACTERS, MAX_HOTWORDS, MAX_PROMPT_CHARACTERS
from auricle.values.types import Task
from fuzz.mutation import query_mutation
from fuzz.target import Target
from fuzz.transcripts import count_cues, transcript_of

MODULES = ("auricle.apis.openai.wire.transcriptions", "auricle.text.formats.subtitles")
_WORDS = (
    *sorted(FIELDS),
    *("text", "pieces", "starts", "json", "srt", "vtt", "verbose_json", "diarized_json"),
    *("word", "segment", "en", "de", "auto", "german", "yes", "no", "-->", "<", "&amp;"),
)
_GAPS = ({"start": 0.0, "end": 1.0, "code": "poison_job"},)


def run(data: bytes) -> None:
    """Read a form, and answer it with a text that is in it, too."""
    fields: dict[str, list[str]] = defaultdict(list)
    for name, value in parse_qsl(data.decode(errors="replace"), keep_blank_values=True):
        fields[name].append(value)
    for task in Task:
        try:
            request = read_form(fields, task)
        except BadRequest as error:
            assert error.field in FIELDS, "the error names no field of the request"
            continue
        _check(request)
        _answer(request, fields)


def _check(request: SpeechRequest) -> None:
    options = request.options
    assert options.language is None or options.language in LANGUAGES
    assert len(options.initial_prompt or "") <= MAX_PROMPT_CHARACTERS
    assert len(options.hotwords) <= MAX_HOTWORDS
    assert all(len(word) <= MAX_HOTWORD_CHARACTERS for word in options.hotwords)


def _answer(request: SpeechRequest, fields: dict[str, list[str]]) -> None:
    transcript = transcript_of(fields)
    body = encode_answer(request, transcript, _GAPS)
    match request.format:
        case Format.JSON | Format.VERBOSE_JSON:
            assert msgspec.json.decode(body)["text"] == transcript.text
        case Format.SRT | Format.VTT:
            count_cues(body.decode())
        case Format.TEXT:
            body.decode()
    for event in (delta_event(transcript.text), done_event(transcript, _GAPS)):
        assert event.count(b"\n") == 2, "an event breaks off"


def seeds() -> Iterator[bytes]:
    """Give forms with each field."""
    yield b"model=whisper-1&language=en&prompt=Hello&response_format=json&temperature=0.2"
    yield b"response_format=verbose_json&timestamp_granularities=word&pieces=1&text=Hello there"
    yield b"response_format=srt&text=One.&text=Two --> three&pieces=1&starts=0&starts=99999999"
    yield b"response_format=vtt&text=a %26 <b>&text=&keywords=x&keywords=y&language=japanese"
    yield b"stream=true&languages=en&languages=de&timestamp_granularities=segment"
    yield b"response_format=text&stream=no&languages=fr"


TARGET = Target(
    run, seeds, query_mutation(_WORDS), words=tuple(w.encode() for w in _WORDS), loop_bytes=2**12
)
