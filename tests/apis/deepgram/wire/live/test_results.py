"""Results, metadata, close codes and control messages."""

import hashlib
from dataclasses import replace

import pytest

from auricle.apis.deepgram.wire.live import parameters_of
from auricle.apis.deepgram.wire.results import ModelInfo
from auricle.protocol.dialect import End, Step
from auricle.values.commands import Flush, Keepalive, Spare, Stop
from auricle.values.events import (
    AudioProgress,
    Closed,
    Failed,
    Final,
    Finalized,
    FinalSpeakers,
    Flushed,
    Partial,
    Ready,
    SpeakerRevision,
    SpeakerSegment,
    SpeechEnded,
    SpeechStarted,
)
from auricle.values.types import Redact, Speaker, Word
from tests.apis.deepgram.wire.live.helpers import LINEAR, dialect, listen, steps, tell

pytestmark = pytest.mark.unit


def final(number: int, text: str = "And so.", start: int = 0, end: int = 32_000) -> Final:
    words = tuple(
        Word(start + 8_000 * n, start + 8_000 * (n + 1), f" {word}", 0.9)
        for n, word in enumerate(text.split())
    )
    return Final(number, number, text, start, end, "en", words, 100.0, False)


def ended(started: int, end: int) -> tuple[SpeechStarted, SpeechEnded]:
    return SpeechStarted(started), SpeechEnded(end)


def test_numbers_are_in_digits_if_requested_in_english() -> None:
    one = dialect(f"{LINEAR}&numerals=true")
    partial = Partial(1, "I have twenty", " five", 0, 16_000)
    shown = tell(one, SpeechStarted(0), partial, SpeechEnded(30_000), final(1, "twenty five cats."))
    texts = [each["channel"]["alternatives"][0] for each in shown if each["type"] == "Results"]
    assert [each["transcript"] for each in texts] == ["I have 25", "25 cats."]
    assert [(word["word"], word["start"], word["end"]) for word in texts[1]["words"]] == [
        ("25", 0.0, 1.0),
        ("cats", 1.0, 1.5),
    ]
    french = replace(final(2, "six chats"), language="fr")
    (result,) = tell(one, SpeechEnded(60_000), french)
    assert result["channel"]["alternatives"][0]["transcript"] == "six chats"


def test_numerals_can_be_turned_on_later_and_other_features_are_reported() -> None:
    one = dialect()
    features = '{"numerals":true,"dictation":true,"search":false}'
    for _ in range(3):
        steps(one.receive_text(f'{{"type":"Configure","features":{features}}}'))
    shown = tell(one, *ended(0, 30_000), final(1, "twenty five"))
    assert shown[-1]["channel"]["alternatives"][0]["transcript"] == "25"
    (metadata,) = tell(one, Closed("stop", 16_000, 0, 0, 0))
    assert metadata["warnings"] == ["dictation is not supported and has no effect."]


def test_finals_have_replacements_and_the_places_of_terms() -> None:
    one = dialect(f"{LINEAR}&replace=so:thus&search=so&interim_results=true")
    partial = Partial(1, "And so", "", 0, 16_000)
    interim, result = (
        each["channel"]
        for each in tell(one, SpeechStarted(0), partial, SpeechEnded(30_000), final(1))
        if each["type"] == "Results"
    )
    assert interim["alternatives"][0]["transcript"] == "And thus"
    assert "search" not in interim
    assert result["alternatives"][0]["transcript"] == "And thus."
    (found,) = result["search"]
    assert [(hit["start"], hit["snippet"]) for hit in found["hits"]] == [(0.5, "so.")]


def test_what_to_hide_is_the_session_s_work() -> None:
    parameters = parameters_of(listen(f"{LINEAR}&redact=pci&redact=email"))
    assert parameters.redact == (Redact.PCI, Redact.EMAIL)


PARTS = (SpeakerSegment(0, 12_000, "And", 0), SpeakerSegment(16_000, 32_000, "so.", 1))


def of_two(number: int) -> Final:
    timed = final(number)
    words = tuple(replace(word, speaker=n) for n, word in enumerate(timed.words or ()))
    return replace(timed, words=words, segments=PARTS)


def test_words_have_their_speakers_once_they_are_known() -> None:
    speakers = [
        [word.get("speaker") for word in message["channel"]["alternatives"][0]["words"]]
        for message in tell(
            dialect(),
            *ended(0, 30_000),
            of_two(1),
            *ended(0, 30_000),
            replace(of_two(2), words=None),
            *ended(0, 30_000),
            final(3),
            SpeakerRevision((FinalSpeakers(3, 1, PARTS),)),
        )
    ]
    assert speakers == [[0], [1], [0], [1], [None, None]]


def test_a_result_has_the_name_of_its_speaker_if_it_is_known() -> None:
    named = replace(of_two(1), speakers=(Speaker(1, "Ann"),))
    found = [
        message["channel"]["alternatives"][0].get("speakers")
        for message in tell(dialect(), *ended(0, 30_000), named)
    ]
    assert found == [None, [{"speaker": 1, "name": "Ann"}]]


def test_a_result_ends_where_the_speaker_changes() -> None:
    shown = tell(dialect(), *ended(0, 30_000), of_two(1))
    assert [message["channel"]["alternatives"][0]["transcript"] for message in shown] == [
        "And",
        "so.",
    ]
    assert [(message["start"], message["duration"]) for message in shown] == [
        (0.0, 1.0),
        (1.0, 1.0),
    ]
    assert [message["speech_final"] for message in shown] == [False, True]
    assert all(message["is_final"] for message in shown)


def test_the_last_speaker_s_result_answers_a_finalize() -> None:
    one = dialect()
    shown = tell(one, *ended(0, 30_000), Flushed(32_000, True), of_two(1), Finalized(32_000))
    assert [message["from_finalize"] for message in shown] == [False, True]


def test_diarize_requests_speakers() -> None:
    assert parameters_of(listen(f"{LINEAR}&diarize=true")).speakers
    assert not parameters_of(listen(LINEAR)).speakers


def test_an_utterance_is_some_partials_and_one_final_result() -> None:
    one = dialect()
    messages = tell(
        one,
        Ready("s", "secret", False, False, 0, 0),
        SpeechStarted(1600),
        Partial(1, "And", " so my", 0, 16_000),
        SpeechEnded(30_000),
        final(1),
    )
    assert [message["is_final"] for message in messages] == [False, True]
    interim, last = messages
    assert interim["channel"]["alternatives"][0]["transcript"] == "And so my"
    assert interim["channel"]["alternatives"][0]["words"][2]["end"] == 1.0
    assert not interim["speech_final"]
    assert last == {
        "type": "Results",
        "channel_index": [0, 1],
        "duration": 2.0,
        "start": 0.0,
        "is_final": True,
        "speech_final": True,
        "from_finalize": False,
        "channel": {
            "alternatives": [
                {
                    "transcript": "And so.",
                    "confidence": 0.9,
                    "words": [
                        {
                            "word": "and",
                            "start": 0.0,
                            "end": 0.5,
                            "confidence": 0.9,
                            "punctuated_word": "And",
                        },
                        {
                            "word": "so",
                            "start": 0.5,
                            "end": 1.0,
                            "confidence": 0.9,
                            "punctuated_word": "so.",
                        },
                    ],
                }
            ]
        },
        "metadata": {
            "request_id": "id",
            "model_info": {"name": "base", "version": "1", "arch": "whisper"},
            "model_uuid": ModelInfo("base", "1", "whisper").uuid,
        },
    }


def test_the_start_of_speech_is_reported_if_that_was_asked_for() -> None:
    assert tell(dialect(), SpeechStarted(1600)) == []
    (messages,) = tell(dialect(LINEAR + "&vad_events=true"), SpeechStarted(1600))
    assert messages == {"type": "SpeechStarted", "channel": [0, 1], "timestamp": 0.1}


def test_speech_that_continues_has_not_ended() -> None:
    one = dialect()
    tell(one, *ended(0, 400_000), SpeechStarted(400_512))  # truncated to its maximum length
    assert not tell(one, final(1))[0]["speech_final"]
    tell(one, SpeechEnded(500_000))
    assert tell(one, final(2))[0]["speech_final"]


def test_speech_that_resumes_soon_had_ended() -> None:
    one = dialect()
    tell(one, *ended(0, 16_000), SpeechStarted(26_000))
    assert tell(one, final(1))[0]["speech_final"]


def test_without_endpointing_no_result_is_one() -> None:
    one = dialect(LINEAR + "&endpointing=false")
    (messages,) = tell(one, *ended(0, 16_000), final(1))
    assert messages["is_final"]
    assert not messages["speech_final"]


def test_a_language_that_was_found_is_reported() -> None:
    one = dialect(LINEAR + "&language=multi")
    (messages,) = tell(one, *ended(0, 16_000), final(1))
    assert messages["channel"]["alternatives"][0]["languages"] == ["en"]


def test_an_utterance_that_could_not_be_recognised_is_an_empty_result() -> None:
    one = dialect()
    lost = Final(1, 1, "", 0, 16_000, None, None, 0.0, False, error="poison_job")
    (messages,) = tell(one, *ended(0, 16_000), lost)
    assert messages["channel"]["alternatives"][0] == {
        "transcript": "",
        "confidence": 0.0,
        "words": [],
    }
    assert messages["speech_final"]


def test_finalize_is_answered_by_the_result_of_what_it_ended() -> None:
    one = dialect(LINEAR + "&endpointing=false")
    messages = tell(one, *ended(0, 16_000), Flushed(16_000, True), final(1), Finalized(16_000))
    assert [(m["from_finalize"], m["speech_final"]) for m in messages] == [(True, True)]


def test_it_is_answered_without_any_speech() -> None:
    one = dialect()
    marks = AudioProgress(48_000, 40_000)  # a later word may start there
    (_, messages) = tell(one, marks, Flushed(48_000, False), Finalized(48_000))
    assert messages["from_finalize"]
    assert messages["is_final"]
    assert (messages["start"], messages["duration"]) == (0.0, 2.5)
    assert messages["channel"]["alternatives"][0]["transcript"] == ""


def test_it_is_answered_by_the_last_of_several_results() -> None:
    one = dialect()
    messages = tell(
        one,
        *ended(0, 16_000),
        *ended(40_000, 60_000),
        Flushed(64_000, False),
        final(1, end=16_000),
        SpeechStarted(80_000),
        final(2, start=40_000, end=60_000),
        Finalized(64_000),
        SpeechEnded(96_000),
        final(3, start=80_000, end=96_000),
    )
    assert [message["from_finalize"] for message in messages] == [False, True, False]


def test_each_of_two_is_answered_once() -> None:
    one = dialect()
    messages = tell(
        one,
        *ended(0, 16_000),
        Flushed(16_000, True),
        Flushed(16_000, False),
        final(1, end=20_000),
        Finalized(16_000),
        Finalized(16_000),
    )
    assert [message["from_finalize"] for message in messages] == [True, True]
    assert (messages[1]["start"], messages[1]["duration"]) == (1.25, 0.0)


def test_a_silence_after_the_last_word_is_reported_once() -> None:
    one = dialect(LINEAR + "&utterance_end_ms=1000")
    messages = tell(one, *ended(0, 16_000), final(1), AudioProgress(30_000, 30_000))
    assert [message["type"] for message in messages] == ["Results"]
    messages = tell(
        one,
        AudioProgress(32_000, 32_000),
        AudioProgress(48_000, 48_000),
        AudioProgress(64_000, 64_000),
    )
    messages = [message for message in messages if message["type"] != "Results"]
    assert messages == [{"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": 1.0}]


def test_it_is_not_sent_during_speech_or_while_finals_are_missing() -> None:
    one = dialect(LINEAR + "&utterance_end_ms=1000")
    tell(one, *ended(0, 16_000), final(1), SpeechStarted(24_000))
    assert tell(one, AudioProgress(64_000, 0)) == []
    tell(one, SpeechEnded(64_000))
    assert tell(one, AudioProgress(96_000, 0)) == []
    (result, end) = tell(one, final(2, "ask not", 24_000, 64_000), AudioProgress(96_000, 0))
    assert (result["type"], end["last_word_end"]) == ("Results", 2.5)


def test_silence_is_covered_by_empty_interim_results_that_add_up() -> None:
    one = dialect()
    messages = tell(
        one,
        AudioProgress(16_000, 12_000),
        AudioProgress(32_000, 28_000),
        AudioProgress(33_000, 29_000),
    )
    messages += tell(one, SpeechStarted(40_000), AudioProgress(48_000, 30_000), SpeechEnded(64_000))
    messages += tell(one, AudioProgress(80_000, 38_000), final(1, "ask not", 38_000, 64_000))
    messages += tell(one, AudioProgress(80_000, 76_000), AudioProgress(96_000, 92_000))
    assert [(m["start"], m["duration"], m["is_final"]) for m in messages] == [
        (0.0, 0.75, False),
        (0.75, 1.0, False),
        (2.375, 1.625, True),
        (4.0, 0.75, False),
        (4.75, 1.0, False),
    ]
    assert not any(m["speech_final"] or m["from_finalize"] for m in messages if not m["is_final"])
    empty = messages[0]["channel"]["alternatives"]
    assert empty == [{"transcript": "", "confidence": 0.0, "words": []}]


def test_silence_is_not_reported_where_no_interim_results_are_wanted() -> None:
    one = dialect("encoding=linear16&sample_rate=16000")
    assert tell(one, AudioProgress(16_000, 12_000), AudioProgress(32_000, 28_000)) == []


def test_it_ends_with_metadata_about_all_of_its_audio() -> None:
    one = dialect()
    one.receive_bytes(b"some ")
    one.receive_bytes(b"audio")
    (messages,) = tell(one, Closed("stop", 24_000, 0, 0, 0))
    assert messages == {
        "type": "Metadata",
        "transaction_key": "deprecated",
        "request_id": "id",
        "sha256": hashlib.sha256(b"some audio").hexdigest(),
        "created": "2026-11-25T12:00:00.000Z",
        "duration": 1.5,
        "channels": 1,
    }


def test_a_good_end_has_no_reason_and_a_long_one_fits() -> None:
    assert dialect().closing_messages(End("done", 1000)).reason == ""
    long = dialect().closing_messages(End("bad_audio", 1007, Failed("bad_audio", "é" * 200, False)))
    assert 100 < len(long.reason.encode()) <= 123


@pytest.mark.parametrize(
    ("data", "step"),
    [
        (b'{"type":"CloseStream"}', Stop()),
        (b'{"type": "KeepAlive"}', Keepalive()),
        (b'{ "type": "Finalize" }', Flush(spares=Spare.ONSET)),
    ],
)
@pytest.mark.parametrize("query", [LINEAR, "", "encoding=opus"])
def test_a_binary_control_message_is_one(query: str, data: bytes, step: Step) -> None:
    assert steps(dialect(query).receive_bytes(data)) == [step]


@pytest.mark.parametrize(
    "data", [b'{"type":"Sing"}', b"{}{}", b"{\xff\xfe\x00", b"{" + bytes(2047)]
)
def test_audio_that_looks_like_one_is_audio(data: bytes) -> None:
    assert steps(dialect().receive_bytes(data)) == [data]


def test_a_final_without_word_times_has_interpolated_words() -> None:
    timeless = Final(1, 1, "And so.", 0, 32_000, "en", None, 100.0, False)
    ready = Ready("s", "secret", False, False, 0, 0)
    *_, last = tell(dialect(), ready, *ended(1600, 30_000), timeless)
    (result,) = last["channel"]["alternatives"]
    assert [(word["word"], word["end"]) for word in result["words"]] == [
        ("and", 1.0),
        ("so", 2.0),
    ]
