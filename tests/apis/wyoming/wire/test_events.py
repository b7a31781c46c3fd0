import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from msgspec import UNSET

from auricle.apis.wyoming.wire.events import MAX_REJECTED, WyomingDialect, info_event
from auricle.apis.wyoming.wire.framing import WyomingEvent
from auricle.protocol.dialect import End, Reply
from auricle.values.commands import Stop, StreamParameters, UpdateConfig
from auricle.values.errors import AudioError, RemoteProtocolError, UnsupportedFormat
from auricle.values.events import (
    AudioProgress,
    Failed,
    SpeechEnded,
    SpeechStarted,
    Warned,
    WarningCode,
    Wire,
)
from auricle.values.languages import LANGUAGES
from auricle.values.limits import MAX_HOTWORDS
from tests.apis.wyoming.service import MONO_16, event, read
from tests.apis.wyoming.wire.talk import CHUNK, CLOSED, INFO, MODEL, STOP, Talk, final, partial

pytestmark = pytest.mark.unit


@pytest.fixture
def talk() -> Talk:
    return Talk()


@pytest.fixture
def speaking(talk: Talk) -> Talk:
    talk.begin(CHUNK)
    return talk


def chunks(replies: Iterable[tuple[str, dict[str, Any]]]) -> list[str]:
    return [data["text"] for type, data in replies if type == "transcript-chunk"]


# At any time.


def test_describe_reports_what_is_there(talk: Talk) -> None:
    [info] = talk.reply(event("describe"))
    [program] = info.data["asr"]
    assert info.type == "info"
    assert program["name"] == "Auricle"
    assert program["installed"] is program["supports_transcript_streaming"] is True
    assert program["requires_external_vad"] is True
    [model] = program["models"]
    assert (model["name"], model["installed"]) == ("base", True)
    assert set(model["languages"]) == LANGUAGES


def test_an_english_model_says_so() -> None:
    english = replace(MODEL, name="tiny", languages=frozenset({"en"}))
    [info] = read(info_event([MODEL, english], "1"))
    first, second = info.data["asr"][0]["models"]
    assert (first["name"], second["name"]) == ("base", "tiny")
    assert second["languages"] == ["en"]


def test_pings_are_answered_before_within_and_after_an_utterance(talk: Talk) -> None:
    assert talk.reply(event("ping", {"text": "a"})) == [WyomingEvent("pong", {"text": "a"})]
    _, steps = talk.begin(CHUNK, event("ping"))
    assert steps == [b"\1\2\3\4", Reply(('{"type":"pong"}\n',))]
    assert talk.hear(STOP) == [Stop()]
    assert talk.reply(event("ping", {"text": 5})) == [WyomingEvent("pong")]


def test_other_events_are_ignored_with_all_that_belongs_to_them(talk: Talk) -> None:
    wire = event("synthesize", {"text": "x"}, b"payload") + event("select-program", {"name": "y"})
    assert talk.hear(wire) == []
    assert talk.reply(event("ping")) == [WyomingEvent("pong")]


# Session parameters.


def test_an_utterance_has_the_parameters_sent_with_it(talk: Talk) -> None:
    parameters, steps = talk.begin(
        event(
            "transcribe",
            {
                "name": "tiny",
                "language": "pt-BR",
                "context": {"a": {}},
                "vad_sensitivity": "relaxed",
                "transcript_names": ["Küche", "", "x" * 101],
                "transcript_terms": ["lumen"],
            },
        ),
        event("audio-start", {"rate": 22_050, "width": 2, "channels": 2}),
        event("audio-chunk", {"rate": 48_000, "width": 2, "channels": 2}, bytes(8)),
    )
    assert parameters == StreamParameters(
        format=Wire.PCM16,
        sample_rate=48_000,  # the chunk overrides the start
        channels=2,
        model="tiny",
        language="pt",
        hotwords=("Küche", "lumen"),
    )
    assert steps == [bytes(8)]


def test_fields_that_a_chunk_omits_have_the_values_of_the_start(talk: Talk) -> None:
    start = event("audio-start", {"rate": 8000, "width": 2, "channels": 1, "timestamp": None})
    parameters, steps = talk.begin(start, event("audio-chunk", {"rate": None}, b"ab"))
    assert parameters == StreamParameters(format=Wire.PCM16, sample_rate=8000)
    assert steps == [b"ab"]


def test_too_many_names_are_cut_off(talk: Talk) -> None:
    names = [f"name {number}" for number in range(MAX_HOTWORDS + 50)]
    parameters, _ = talk.begin(event("transcribe", {"transcript_names": names}), CHUNK)
    assert parameters is not None
    assert parameters.hotwords == tuple(names[:MAX_HOTWORDS])


def test_names_of_the_home_fill_up_what_the_request_leaves() -> None:
    home = [f"lamp {number}" for number in range(MAX_HOTWORDS)]
    dialect = WyomingDialect(INFO, names=lambda: home)
    late = event("transcribe", {"transcript_terms": ["lumen"]})
    list(dialect.receive_bytes(event("transcribe", {"transcript_names": ["Anna"]}) + CHUNK))
    assert dialect.requested is not None
    assert dialect.requested.hotwords == ("Anna", *home[:-1])
    dialect.begin()
    [_, update] = dialect.receive_bytes(late)
    assert isinstance(update, UpdateConfig)
    assert update.hotwords == ("lumen", *home[:-1])
    [unchanged] = dialect.receive_bytes(event("transcribe", {"language": "de"}))
    assert isinstance(unchanged, UpdateConfig)
    assert unchanged.hotwords is UNSET


def test_late_configuration_applies_from_then_on(speaking: Talk) -> None:
    late = {"language": "de", "transcript_names": ["Anna"]}
    assert speaking.hear(event("transcribe", late)) == [
        UpdateConfig(language="de", strict_language=False, hotwords=("Anna",))
    ]


@pytest.mark.parametrize("width", [3, 4])
def test_wider_samples_keep_their_upper_16_bits(talk: Talk, width: int) -> None:
    samples = np.array([1, -1, 32767, -32768, 1234], np.int16)
    wide = (samples.astype("<i4") << 16).tobytes()
    packed = b"".join(wide[at + 4 - width : at + 4] for at in range(0, len(wide), 4))
    form = {"rate": 16_000, "width": width, "channels": 1}
    _, steps = talk.begin(event("audio-chunk", form, packed))
    assert steps == [samples.tobytes()]


# Invalid input.


@pytest.mark.parametrize(
    "change",
    [
        {"width": 1},
        {"width": 5},
        {"channels": 0},
        {"channels": 3},
        {"rate": 0},
        {"rate": 7999},
        {"rate": 10**30},
        {"rate": "16000"},
        {"rate": True},
        {"width": None},
    ],
)
def test_a_format_that_can_t_be_read_is_refused(talk: Talk, change: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedFormat):
        talk.hear(event("audio-chunk", MONO_16 | change, bytes(4)))


def test_half_a_sample_is_refused(talk: Talk) -> None:
    with pytest.raises(AudioError):
        talk.hear(event("audio-chunk", MONO_16, bytes(3)))


def test_a_format_may_not_change_within_an_utterance(speaking: Talk) -> None:
    with pytest.raises(UnsupportedFormat):
        speaking.hear(event("audio-chunk", MONO_16 | {"rate": 8000}, bytes(4)))


@pytest.mark.parametrize("data", [{"language": 5}, {"transcript_names": "Anna"}])
def test_a_request_that_makes_no_sense_is_reported_and_the_utterance_continues(
    talk: Talk, data: dict[str, Any]
) -> None:
    [error] = talk.reply(event("transcribe", data))
    assert error.type == "error"
    assert error.data["code"] == "bad_request"
    assert "transcribe" in error.data["text"]
    assert talk.begin(CHUNK)[0] == StreamParameters(format=Wire.PCM16)


def test_repeated_invalid_messages_end_the_connection(talk: Talk) -> None:
    bad = event("transcribe", {"language": 5})
    assert len(talk.reply(*[bad] * (MAX_REJECTED - 1))) == MAX_REJECTED - 1
    with pytest.raises(RemoteProtocolError):
        talk.hear(bad)


def test_messages_are_for_websockets(talk: Talk) -> None:
    with pytest.raises(RemoteProtocolError):
        talk.dialect.receive_text("{}")


# Between requests.


def test_a_next_utterance_waits_for_the_transcript_of_this_one(talk: Talk) -> None:
    talk.begin(CHUNK)
    asked = event("transcribe", {"language": "de"})
    assert talk.hear(STOP, asked, event("audio-start"), CHUNK) == [Stop()]
    assert talk.dialect.has_pending_answer
    assert talk.dialect.has_pending_event
    assert talk.hear() == []
    talk.tell(CLOSED)
    talk.dialect.finish()
    assert talk.begin()[0] == StreamParameters(format=Wire.PCM16, language="de")


def test_text_not_taken_by_the_end_of_an_utterance_is_kept(speaking: Talk) -> None:
    wire = STOP + event("ping") + event("describe") + event("ping", {"text": "last"})
    steps = iter(speaking.dialect.receive_bytes(wire))
    assert [next(steps), next(steps)] == [Stop(), Reply(('{"type":"pong"}\n',))]
    next(steps)  # the transcript was sent before this was answered
    speaking.dialect.put(CHUNK)
    speaking.tell(CLOSED)
    speaking.dialect.finish()
    assert [replies.type for replies in speaking.reply()] == ["info", "pong"]
    assert speaking.dialect.requested is not None


def test_parameters_of_one_utterance_do_not_apply_to_the_next(talk: Talk) -> None:
    first, _ = talk.begin(event("transcribe", {"language": "de"}), CHUNK)
    talk.hear(STOP)
    talk.dialect.finish()
    second, _ = talk.begin(CHUNK)
    assert first is not None
    assert second is not None
    assert (first.language, second.language) == ("de", None)


def test_no_audio_is_an_empty_transcript_and_needs_no_session(talk: Talk) -> None:
    replies = talk.reply(event("transcribe", {"language": "en"}), event("audio-start"), STOP)
    assert replies == [
        WyomingEvent("transcript-start", {"language": "en"}),
        WyomingEvent("transcript", {"text": "", "language": "en"}),
        WyomingEvent("transcript-stop"),
    ]


# Events for the client.


def test_a_transcript_streams_in_stable_chunks_that_make_it_up(speaking: Talk) -> None:
    replies = speaking.tell(
        SpeechStarted(1600),
        partial(""),
        partial("Turn on"),
        partial("Turn on the"),
        SpeechEnded(16_000),
        final("Turn on the light."),
        SpeechStarted(32_000),
        SpeechEnded(48_000),
        final("Please."),
        AudioProgress(48_000, 48_000),
        CLOSED,
    )
    assert replies == [
        ("voice-started", {"timestamp": 100}),
        ("transcript-start", {}),
        ("transcript-chunk", {"text": "Turn on"}),
        ("transcript-chunk", {"text": " the"}),
        ("voice-stopped", {"timestamp": 1000}),
        ("transcript-chunk", {"text": " light."}),
        ("voice-started", {"timestamp": 2000}),
        ("voice-stopped", {"timestamp": 3000}),
        ("transcript-chunk", {"text": " Please."}),
        ("transcript", {"text": "Turn on the light. Please.", "language": "en"}),
        ("transcript-stop", {}),
    ]


def test_a_later_utterance_waits_for_its_turn(speaking: Talk) -> None:
    replies = speaking.tell(
        SpeechStarted(0), partial("One"), SpeechEnded(100), SpeechStarted(200), partial("two")
    )
    assert chunks(replies) == ["One"]
    assert chunks(speaking.tell(final("One and"), final("two."), CLOSED)) == [" and", " two", "."]


def test_what_a_final_corrects_is_not_taken_back_and_the_transcript_is_right(
    speaking: Talk,
) -> None:
    replies = speaking.tell(SpeechStarted(0), partial("Turn of"), final("Turn on."), CLOSED)
    assert chunks(replies) == ["Turn of"]
    assert replies[-2] == ("transcript", {"text": "Turn on.", "language": "en"})


def test_languages_without_spaces_are_joined_with_nothing(speaking: Talk) -> None:
    replies = speaking.tell(
        SpeechStarted(0),
        final("電気を", language="ja"),
        SpeechStarted(0),
        final("つけて", language="ja"),
        CLOSED,
    )
    assert chunks(replies) == ["電気を", "つけて"]
    assert replies[-2] == ("transcript", {"text": "電気をつけて", "language": "ja"})


def test_silence_is_an_empty_transcript(speaking: Talk) -> None:
    replies = speaking.tell(CLOSED)
    assert [type for type, _ in replies] == ["transcript-start", "transcript", "transcript-stop"]
    assert replies[1] == ("transcript", {"text": ""})


def test_times_continue_from_the_first_chunk_s(talk: Talk) -> None:
    talk.begin(event("audio-chunk", MONO_16 | {"timestamp": 5000}, bytes(2)))
    assert talk.tell(SpeechStarted(1600)) == [("voice-started", {"timestamp": 5100})]


@pytest.mark.parametrize("timestamp", ["x", 10**40, 1.5, None])
def test_times_that_make_no_sense_are_ignored(talk: Talk, timestamp: Any) -> None:
    talk.begin(event("audio-chunk", MONO_16 | {"timestamp": timestamp}, bytes(2)))
    assert talk.tell(SpeechStarted(1600)) == [("voice-started", {"timestamp": 100})]


def test_half_of_a_command_is_an_error_instead_of_a_transcript(speaking: Talk) -> None:
    replies = speaking.tell(
        SpeechStarted(0),
        final("Open the"),
        SpeechStarted(0),
        final("", error="poison_job"),
        CLOSED,
    )
    assert [type for type, _ in replies][-1] == "error"
    assert replies[-1][1]["code"] == "poison_job"
    assert "transcript" not in [type for type, _ in replies]
    assert speaking.dialect.has_failed


def test_it_parts_with_the_error_if_there_is_one(talk: Talk) -> None:
    failed = Failed("queue_full", "Try again later.", True, 2)
    closing_messages = talk.dialect.closing_messages(End("queue_full", 1013, failed))
    replies = [(e.type, e.data) for e in read("".join(closing_messages.texts))]
    assert replies == [("error", {"text": "Try again later.", "code": "queue_full"})]
    assert talk.dialect.closing_messages(End("done", 1000)).texts == ()


def test_events_without_payload_are_lines_that_others_can_read() -> None:
    line, _, body = INFO.partition("\n")
    assert json.loads(line) == {"type": "info", "data_length": len(body.encode())}
    assert json.loads(body)["asr"]


def test_warnings_are_a_field_of_the_transcript_whose_language_is_the_spoken_one() -> None:
    talk = Talk()
    talk.begin(event("transcribe", {"language": "ja"}), CHUNK, STOP)
    warned = Warned(WarningCode.LANGUAGE_IMPROBABLE, "The speech is in English.")
    told = talk.tell(
        SpeechStarted(0), SpeechEnded(16_000), warned, warned, final("Light on."), CLOSED
    )
    (transcript,) = [data for type, data in told if type == "transcript"]
    assert transcript == {"text": "Light on.", "language": "en", "warnings": [warned.message]}


def test_a_language_may_have_a_region_and_be_kept() -> None:
    talk = Talk()
    talk.hear(event("transcribe", {"language": "nb-NO", "strict_language": True}), CHUNK)
    assert talk.dialect.requested is not None
    assert talk.dialect.requested.language == "no"
    assert talk.dialect.requested.strict_language


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        *(("en-GB", "en"), ("de_AT", "de"), ("pt-BR", "pt"), ("es-419", "es"), ("sr-Latn", "sr")),
        *(("zh-Hant-TW", "zh"), ("zh-HK", "zh"), ("zh-yue", "yue"), ("nb", "no"), ("", None)),
    ],
)
def test_the_languages_of_pipelines_are_understood(talk: Talk, tag: str, code: str | None) -> None:
    parameters, _ = talk.begin(event("transcribe", {"language": tag}), CHUNK)
    assert parameters is not None
    assert parameters.language == code


def test_an_unknown_language_is_detected_with_a_warning(talk: Talk) -> None:
    parameters, _ = talk.begin(event("transcribe", {"language": "tlh-Latn"}), CHUNK, STOP)
    assert parameters is not None
    assert parameters.language is None
    told = dict(talk.tell(SpeechStarted(0), final("Light on."), CLOSED))
    assert told["transcript"] == {
        "text": "Light on.",
        "language": "en",
        "warnings": ["The language is unknown, so it is detected."],
    }
    talk.dialect.finish()
    talk.begin(CHUNK, STOP)
    assert "warnings" not in dict(talk.tell(CLOSED))["transcript"]
