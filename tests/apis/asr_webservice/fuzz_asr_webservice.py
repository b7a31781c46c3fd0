"""The query of whisper-asr-webservice's API, and answers to it in all formats."""

from collections import defaultdict
from collections.abc import Iterator
from urllib.parse import parse_qsl

import msgspec

from auricle.apis.asr_webservice.wire.answers import detection, encode_answer
from auricle.apis.asr_webservice.wire.query import (
    AsrQuery,
    AsrRequest,
    Output,
    parse_asr,
    parse_detection,
)
from auricle.values.errors import BadRequest
from auricle.values.languages import LANGUAGES
from auricle.values.limits import MAX_HOTWORDS, MAX_PROMPT_CHARACTERS
from auricle.values.types import Gap, Transcript
from fuzz.mutation import query_mutation
from fuzz.target import Target
from fuzz.transcripts import count_cues, transcript_of

MODULES = ("auricle.apis.asr_webservice.wire", "auricle.text.formats.whisper_json")
_FIELDS = frozenset(AsrQuery.__struct_fields__)
_WORDS = (
    *sorted(_FIELDS),
    *("text", "pieces", "starts", "vad_filter", "video_file", *Output, "true", "false", "True"),
    *("transcribe", "translate", "en", "german", "auto", "-->", "%09", "%0A", "%E2%80%A8", "<"),
)
_GAP = Gap(470_000, 480_000, "poison_job")
_GAPS = ({"start": 29.375, "end": 30.0, "code": _GAP.code},)


def run(data: bytes) -> None:
    """Read a query, and answer it with a text that is in it, too."""
    items = parse_qsl(data.decode(errors="replace"), keep_blank_values=True)
    fields: dict[str, list[str]] = defaultdict(list)
    for name, value in items:
        fields[name].append(value)
    transcript = transcript_of(fields)
    for parse in (parse_asr, parse_detection):
        try:
            request = parse(items)
        except BadRequest as error:
            assert error.field in _FIELDS, "the error names no field of the request"
            continue
        _check(request)
        _answer(request, transcript)
    assert msgspec.json.encode(detection(transcript))


def _check(request: AsrRequest) -> None:
    options = request.options
    assert options.language is None or options.language in LANGUAGES
    assert len(options.initial_prompt or "") <= MAX_PROMPT_CHARACTERS
    assert len(options.hotwords) <= MAX_HOTWORDS


def _answer(request: AsrRequest, transcript: Transcript) -> None:
    text = encode_answer(request, transcript, _GAPS, [_GAP]).decode()
    spoken = [segment for segment in transcript.segments if segment.text.split()]
    match request.output:
        case Output.JSON:
            body = msgspec.json.decode(text)
            assert body["text"] == transcript.text
            assert len(body["segments"]) == len(transcript.segments)
        case Output.SRT | Output.VTT:
            assert count_cues(text) > 0, "a gap is not shown"
        case Output.TSV:
            rows = [row.split("\t") for row in text.removesuffix("\n").split("\n")]
            assert len(rows) == 1 + len(transcript.segments), "a text makes rows"
            assert all(len(row) == 3 for row in rows), "a text makes columns"
        case Output.TXT:
            assert text.count("\n") == len(spoken), "a text makes lines"


def seeds() -> Iterator[bytes]:
    """Give what programs send."""
    yield b"task=transcribe&language=en&output=srt&encode=false&video_file=a.mkv&text=One.&text=Two"
    yield b"output=json&word_timestamps=true&pieces=1&text=Hello there&encode=true&model=tiny"
    yield b"output=tsv&text=One%09two%0Athree&text=&starts=0&starts=99999999"
    yield b"output=vtt&text=a %26 <b>&text=Two --> three&initial_prompt=Names&hotwords=a,b"
    yield b"diarize=true&min_speakers=1&max_speakers=3&output=txt&text=a%E2%80%A8b&task=translate"


TARGET = Target(
    run, seeds, query_mutation(_WORDS), words=tuple(w.encode() for w in _WORDS), loop_bytes=2**12
)
