import json
from dataclasses import replace

import pytest

from auricle.apis.openai.wire.known_speakers import KnownSpeaker
from auricle.apis.openai.wire.transcription_form import Format, SpeechRequest, read_form
from auricle.text.formats import registry
from auricle.values.errors import BadRequest, UnsupportedOption
from auricle.values.limits import MAX_HOTWORDS, MAX_PROMPT_CHARACTERS
from auricle.values.types import Options, SpeakerOptions, Task

pytestmark = pytest.mark.unit

REFERENCE = "data:audio/wav;base64,UklGRg=="


def read(task: Task = Task.TRANSCRIBE, /, **fields: str | list[str]) -> SpeechRequest:
    values = {name: [value] if isinstance(value, str) else value for name, value in fields.items()}
    return read_form(values, task)


def test_a_form_without_any_field_asks_for_json() -> None:
    options = Options(sentence_times=False)
    assert read() == SpeechRequest(options, Format.JSON, True, False)


def test_every_field_is_read() -> None:
    request = read(
        model="whisper-1",
        language="pt-BR",
        prompt="Names: Ana.",
        keywords=["Auricle", " ", "Opus"],
        response_format="verbose_json",
        temperature="0.4",
        timestamp_granularities=["word", "segment"],
    )
    options = Options(
        "pt",
        model="whisper-1",
        initial_prompt="Names: Ana.",
        hotwords=("Auricle", "Opus"),
        word_timestamps=True,
    )
    assert replace(request, warnings=()) == SpeechRequest(options, Format.VERBOSE_JSON, True, False)
    assert read(stream="true").is_streamed


def test_what_is_empty_is_left_out() -> None:
    names = ("model", "language", "prompt", "response_format", "temperature", "stream")
    assert read(**dict.fromkeys(names, "")) == read()
    assert read(keywords="", languages="", timestamp_granularities="") == read()


def test_one_possible_language_is_the_language_and_several_are_none() -> None:
    assert read(languages="de").options.language == "de"
    assert read(languages=["de", "en"]).options.language is None
    assert read(languages="de", language="en").options.language == "en"


@pytest.mark.parametrize(
    "texts", ["word,segment", "word, segment", '["word", "segment"]', ["word", "segment"]]
)
def test_a_list_may_be_repeated_or_hold_commas_or_be_json(texts: str | list[str]) -> None:
    request = read(timestamp_granularities=texts, response_format="verbose_json")
    assert (request.options.word_timestamps, request.has_segments) == (True, True)


def test_keywords_may_be_json_or_hold_commas() -> None:
    assert read(keywords='["Auricle", "a, b"]').options.hotwords == ("Auricle", "a, b")
    assert read(keywords="Auricle, Opus").options.hotwords == ("Auricle", "Opus")


def test_translations_are_never_streamed() -> None:
    request = read(Task.TRANSLATE, stream="true")
    assert not request.is_streamed
    assert request.options.task is Task.TRANSLATE


def test_of_a_long_prompt_the_end_is_kept() -> None:
    assert read(prompt="x" * MAX_PROMPT_CHARACTERS + "end").options.initial_prompt == (
        "x" * (MAX_PROMPT_CHARACTERS - 3) + "end"
    )


def test_words_are_looked_for_only_where_they_can_be_reported() -> None:
    assert not read(timestamp_granularities="word").options.word_timestamps
    request = read(timestamp_granularities="word", response_format="verbose_json")
    assert (request.options.word_timestamps, request.has_segments) == (True, False)


@pytest.mark.parametrize(
    ("fields", "speakers"),
    [
        ({"response_format": "diarized_json"}, SpeakerOptions()),
        ({"response_format": "diarized_json", "stream": "true"}, SpeakerOptions()),
        ({"response_format": "diarized_json", "num_speakers": "2"}, SpeakerOptions(2)),
        ({"response_format": "srt", "max_speakers": "3"}, SpeakerOptions(None, None, 3)),
        ({"response_format": "vtt", "model": "gpt-4o-transcribe-diarize"}, SpeakerOptions()),
        ({"response_format": "vtt", "model": "whisper-1"}, None),
        ({"response_format": "vtt", "max_speakers": "3", "stream": "true"}, None),
        ({"response_format": "text", "model": "gpt-4o-transcribe-diarize"}, None),
    ],
)
def test_speakers_are_looked_for_only_where_they_can_be_reported(
    fields: dict[str, str], speakers: SpeakerOptions | None
) -> None:
    assert read(**fields).speakers == speakers


def test_numbers_and_names_of_speakers_that_no_format_shows_are_reported() -> None:
    assert read(model="gpt-4o-transcribe-diarize").warnings == ()
    known = {"known_speaker_names": "Ann", "known_speaker_references": REFERENCE}
    request = read(num_speakers="2", **known)
    assert [warning.partition(" ")[0] for warning in request.warnings] == [
        "known_speaker_names",
        "num_speakers",
    ]
    assert request.known_speakers == ()


@pytest.mark.parametrize("is_json", [False, True], ids=["repeated", "json"])
def test_known_speakers_may_have_commas_in_their_names(*, is_json: bool) -> None:
    names, references = ["Lee, Ann", "Bob"], [REFERENCE, REFERENCE]
    fields: dict[str, str | list[str]] = {
        "known_speaker_names": json.dumps(names) if is_json else names,
        "known_speaker_references": json.dumps(references) if is_json else references,
    }
    request = read(response_format="diarized_json", **fields)
    assert request.known_speakers == (
        KnownSpeaker("Lee, Ann", b"RIFF"),
        KnownSpeaker("Bob", b"RIFF"),
    )


@pytest.mark.parametrize("response_format", list(Format))
def test_times_are_looked_for_only_where_they_can_be_reported(response_format: Format) -> None:
    has_times = response_format not in (Format.JSON, Format.TEXT)
    assert read(response_format=response_format.value).options.sentence_times is has_times
    streamed = read(
        response_format=response_format.value,
        timestamp_granularities=["word", "segment"],
        stream="true",
    )
    shows_segments = response_format is Format.DIARIZED_JSON
    assert streamed.options == Options(sentence_times=shows_segments)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("response_format", "yaml"),
        ("temperature", "warm"),
        ("temperature", "1.1"),
        ("temperature", "-0.1"),
        ("temperature", "nan"),
        ("timestamp_granularities", "letter"),
        ("timestamp_granularities", "[word]"),
        ("timestamp_granularities", '{"word": 1}'),
        ("language", "klingon"),
        ("languages", "klingon"),
        ("stream", "maybe"),
        ("num_speakers", "0"),
        ("num_speakers", "10000"),
        ("max_speakers", "two"),
        ("known_speaker_references", "data:audio/wav;base64,AAAA"),
        ("keywords", "x" * 101),
        ("keywords", ["x"] * (MAX_HOTWORDS + 1)),
    ],
)
def test_a_field_that_can_not_be_used_is_named(field: str, value: str | list[str]) -> None:
    with pytest.raises(BadRequest) as raised:
        read(**{field: value})
    assert raised.value.field == field


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_line_width", "11"), ("max_line_width", "x"), ("max_lines", "0"), ("max_lines", "-1")],
)
def test_sizes_that_no_subtitle_can_have_are_refused(name: str, value: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read(response_format="srt", **{name: value})
    assert caught.value.field == name


def test_subtitles_are_refused_by_a_server_without_their_format(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registry, "FORMATS", {})
    for name in ("srt", "vtt"):
        with pytest.raises(UnsupportedOption, match=f"lacks the format {name}") as refused:
            read(response_format=name)
        assert refused.value.field == "response_format"
    assert read(response_format="text").format is Format.TEXT
