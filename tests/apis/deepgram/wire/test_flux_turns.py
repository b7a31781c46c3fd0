"""Turns, from their first words to their end."""

from dataclasses import replace
from urllib.parse import parse_qsl

import pytest

from auricle.apis.deepgram.wire.flux_query import parse_listen_turns
from auricle.apis.deepgram.wire.flux_turns import TurnEvent, Turns
from auricle.values.events import (
    AudioProgress,
    EagerFinal,
    Final,
    Flushed,
    Partial,
    SpeechEnded,
    SpeechStarted,
    Trigger,
    TurnResumed,
)
from auricle.values.types import Word

pytestmark = pytest.mark.unit

STARTED, ENDED = SpeechStarted(16_000), SpeechEnded(40_000)


def turns(query: str = "") -> Turns:
    return Turns(parse_listen_turns(parse_qsl(f"model=flux-general-en&{query}")))


def tell(one: Turns, *events: TurnEvent) -> list[tuple[str, str]]:
    """Return the name and the text of each message."""
    messages = [message for event in events for message in one.messages_of(event)]
    return [(message["event"], message["transcript"]) for message in messages]


def words(text: str, start: int = 16_000) -> tuple[Word, ...]:
    return tuple(
        Word(start + 8000 * n, start + 8000 * (n + 1), f" {word}", 0.9)
        for n, word in enumerate(text.split())
    )


def partial(text: str, utterance: int = 1) -> Partial:
    return Partial(utterance, text[:2], text[2:], 16_000, 32_000)


def eager(text: str, utterance: int = 1, probability: float = 0.6) -> EagerFinal:
    return EagerFinal(utterance, text, 16_000, 40_000, "en", words(text), probability)


def final(
    text: str,
    utterance: int = 1,
    trigger: Trigger | None = Trigger.MODEL,
    language: str = "en",
    start: int = 16_000,
    latency_ms: float = 6000.0,
) -> Final:
    end = start + 24_000
    return Final(
        *(utterance, utterance, text, start, end, language, words(text, start), latency_ms, False),
        end_of_turn=0.8,
        trigger=trigger,
    )


def test_a_turn_starts_with_words_and_ends_with_its_final() -> None:
    one = turns()
    assert tell(one, STARTED, partial("Hi"), partial("Hi there"), ENDED, final("Hi there.")) == [
        ("StartOfTurn", "Hi"),
        ("Update", "Hi there"),
        ("EndOfTurn", "Hi there."),
    ]
    (start,) = one.messages_of(partial("Next", 2))
    assert start["turn_index"] == 1


def test_messages_have_words_times_and_confidence() -> None:
    one = turns()
    tell(one, STARTED, partial("Ask"), ENDED)
    assert list(one.messages_of(final("Ask not."))) == [
        {
            "event": "EndOfTurn",
            "turn_index": 0,
            "audio_window_start": 1.0,
            "audio_window_end": 2.5,
            "transcript": "Ask not.",
            "words": [
                {"word": "Ask", "confidence": 0.9, "start": 1.0, "end": 1.5},
                {"word": "not.", "confidence": 0.9, "start": 1.5, "end": 2.0},
            ],
            "end_of_turn_confidence": 0.8,
            "trigger": "model",
        }
    ]


def test_an_eager_end_holds_until_the_end() -> None:
    one = turns()
    assert tell(
        one,
        *(STARTED, partial("Hi"), eager("Hi."), partial("Hi")),
        *(AudioProgress(64_000, 0), ENDED, final("Hi.")),
    ) == [("StartOfTurn", "Hi"), ("EagerEndOfTurn", "Hi."), ("EndOfTurn", "Hi.")]


def test_speech_that_goes_on_resumes_the_turn() -> None:
    one = turns()
    assert tell(
        one,
        *(STARTED, eager("Hi."), TurnResumed(1), TurnResumed(1), partial("Hi there")),
        *(eager("Hi there."), ENDED, final("Hi there.")),
    ) == [
        ("StartOfTurn", "Hi."),
        ("EagerEndOfTurn", "Hi."),
        ("TurnResumed", "Hi."),
        ("Update", "Hi there"),
        ("EagerEndOfTurn", "Hi there."),
        ("EndOfTurn", "Hi there."),
    ]


def test_a_final_never_contradicts_an_eager_end() -> None:
    assert tell(turns(), STARTED, eager("Hi."), ENDED, final("Bye.")) == [
        ("StartOfTurn", "Hi."),
        ("EagerEndOfTurn", "Hi."),
        ("TurnResumed", "Hi."),
        ("EndOfTurn", "Bye."),
    ]


def test_a_cough_is_no_turn() -> None:
    one = turns()
    assert tell(one, STARTED, ENDED, final("", trigger=Trigger.TIMEOUT)) == []
    assert tell(one, STARTED, partial("Hi", 2), ENDED, final("Hi.", 2))[-1] == ("EndOfTurn", "Hi.")


def test_words_that_were_no_words_end_their_turn_without_text() -> None:
    assert tell(turns(), STARTED, partial("Hm"), ENDED, final("")) == [
        ("StartOfTurn", "Hm"),
        ("EndOfTurn", ""),
    ]


@pytest.mark.parametrize(
    ("language", "text"), [("en", "One, two. And three."), ("ja", "One, two.And three.")]
)
def test_a_turn_is_several_utterances_if_they_are_long(language: str, text: str) -> None:
    one = turns()
    assert tell(
        one,
        *(STARTED, partial("One,"), ENDED, SpeechStarted(41_000)),
        final("One, two.", trigger=None, language=language),
        eager("", 2),
        *(SpeechEnded(80_000), final("And three.", 2, Trigger.TIMEOUT, language)),
    ) == [
        ("StartOfTurn", "One,"),
        ("Update", "One, two."),
        ("EagerEndOfTurn", "One, two."),
        ("TurnResumed", "One, two."),
        ("EndOfTurn", text),
    ]


def test_silence_after_the_longest_utterance_ends_the_turn() -> None:
    one = turns("eot_timeout_ms=1000")
    tell(one, STARTED, ENDED, final("One.", trigger=None))
    assert tell(one, AudioProgress(55_000, 0)) == [("Update", "One.")]
    (end,) = one.messages_of(AudioProgress(56_000, 0))
    assert (end["event"], end["transcript"], end["trigger"]) == ("EndOfTurn", "One.", "timeout")
    assert tell(one, AudioProgress(72_000, 0)) == [("Update", "")]


def test_a_short_pause_of_a_long_utterance_ends_no_turn() -> None:
    one = turns()
    tell(one, STARTED, ENDED)
    short = final("One,", trigger=Trigger.TIMEOUT, latency_ms=700.0)
    assert tell(one, short) == [("StartOfTurn", "One,"), ("Update", "One,")]
    tell(one, STARTED, ENDED)
    unjudged = replace(
        final("two.", 2, trigger=Trigger.TIMEOUT, latency_ms=700.0), end_of_turn=None
    )
    assert tell(one, unjudged) == [("EndOfTurn", "One, two.")]


def test_a_turn_that_does_not_end_is_ended() -> None:
    one = turns()
    long = "word " * 1000
    tell(one, STARTED, ENDED, final(long, trigger=None), STARTED, ENDED)
    assert [name for name, _ in tell(one, final(long, 2, trigger=None))] == ["Update"]
    tell(one, STARTED, ENDED)
    assert [name for name, _ in tell(one, final(long, 3, trigger=None))] == ["EndOfTurn"]


def test_updates_continue_in_silence_but_not_too_often() -> None:
    assert tell(turns(), *(AudioProgress(at, 0) for at in (16_000, 16_100, 20_000))) == [
        ("Update", ""),
        ("Update", ""),
    ]


def test_a_client_ends_the_turn_that_is_open() -> None:
    one = turns()
    assert tell(one, Flushed(0, False)) == []
    tell(one, STARTED, ENDED, Flushed(40_000, True))
    (_, end) = one.messages_of(final("One.", trigger=None))
    assert (end["event"], end["trigger"]) == ("EndOfTurn", "manual")
    tell(one, STARTED, ENDED, final("Two.", 2, trigger=None))
    (end,) = one.messages_of(Flushed(60_000, False))
    assert (end["transcript"], end["trigger"]) == ("Two.", "manual")


def test_the_end_of_a_turn_precedes_the_next_turn() -> None:
    one = turns()
    early = tell(
        one,
        *(STARTED, partial("One"), ENDED, SpeechStarted(41_000)),
        *(partial("Two", 2), partial("Two, or", 2), eager("Two.", 2), partial("Two", 2)),
    )
    assert early == [("StartOfTurn", "One")]
    assert tell(one, final("One.")) == [
        ("EndOfTurn", "One."),
        ("StartOfTurn", "Two."),
        ("EagerEndOfTurn", "Two."),
    ]


def test_an_early_eager_end_that_was_wrong_is_not_sent() -> None:
    one = turns()
    tell(one, STARTED, partial("One"), ENDED, SpeechStarted(41_000), eager("Two.", 2))
    assert tell(one, TurnResumed(2), final("One.")) == [("EndOfTurn", "One.")]
    one = turns()
    tell(one, STARTED, eager("One."), ENDED, SpeechStarted(41_000), eager("Two.", 2))
    assert tell(one, TurnResumed(1)) == [("TurnResumed", "One.")]


def test_early_messages_wait_for_all_finals_before_them() -> None:
    one = turns()
    tell(one, STARTED, partial("One"), ENDED, STARTED, ENDED, STARTED, partial("Three", 3))
    assert tell(one, final("One.")) == [("EndOfTurn", "One.")]
    assert tell(one, final("Two.", 2)) == [
        ("StartOfTurn", "Two."),
        ("EndOfTurn", "Two."),
        ("StartOfTurn", "Three"),
    ]


def test_a_turn_without_an_end_is_ended_when_the_stream_is() -> None:
    one = turns()
    assert list(one.close()) == []
    tell(one, STARTED, ENDED, final("One.", trigger=None))
    (end,) = one.close()
    assert (end["event"], end["transcript"]) == ("EndOfTurn", "One.")
    assert list(one.close()) == []


def test_languages_are_reported_if_they_may_differ() -> None:
    one = turns("model=flux-general-multi")
    tell(one, STARTED)
    (start,) = one.messages_of(partial("Hallo"))
    tell(one, ENDED)
    (end,) = one.messages_of(final("Hallo.", language="de"))
    assert (start["languages"], end["languages"]) == ([], ["de"])


def test_a_final_without_word_times_has_approximate_ones() -> None:
    one = turns()
    tell(one, STARTED, partial("Hi"), ENDED)
    bare = Final(1, 1, "Hi there.", 16_000, 32_000, "en", None, 1.0, False, trigger=Trigger.MODEL)
    (end,) = one.messages_of(bare)
    assert [word["word"] for word in end["words"]] == ["Hi", "there."]
    assert end["words"][-1]["end"] == 2.0


def test_numbers_are_written_in_digits_and_so_are_their_words() -> None:
    one = turns("numerals=true")
    messages = tell(one, STARTED, partial("Room twenty five"), eager("Room twenty five."), ENDED)
    assert messages == [
        ("StartOfTurn", "Room 25"),
        ("EagerEndOfTurn", "Room 25."),
    ]
    (end,) = one.messages_of(final("Room twenty five."))
    assert (end["event"], end["transcript"]) == ("EndOfTurn", "Room 25.")
    assert [(word["word"], word["end"]) for word in end["words"]] == [("Room", 1.5), ("25.", 2.5)]
