from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from auricle.apis.openai_realtime.wire.items import MAX_WITHOUT_SPEAKERS, Items
from auricle.values.events import (
    Final,
    FinalSpeakers,
    Flushed,
    Partial,
    SpeakerRevision,
    SpeakerSegment,
    SpeechEnded,
    SpeechStarted,
)
from auricle.values.types import Speaker

pytestmark = pytest.mark.unit

SECOND = 16_000


class Talk:
    """Items with or without turn detection, and all events that they returned."""

    def __init__(self, *, detects_turns: bool = True) -> None:
        self.items = Items("s")
        self.detects_turns = detects_turns
        self.told: list[dict[str, Any]] = []

    def start(self) -> None:
        event = SpeechStarted(SECOND)
        self.told += self.items.started(event, detects_turns=self.detects_turns)

    def end(self) -> None:
        event = SpeechEnded(2 * SECOND)
        self.told += self.items.ended(event, detects_turns=self.detects_turns)

    def guess(self, stable: str) -> None:
        self.told += self.items.partial(Partial(1, stable, " unsure", 0, SECOND))

    def final(self, text: str, error: str | None = None, language: str = "en") -> None:
        final = Final(1, 1, text, SECOND, 3 * SECOND, language, None, 1.0, False, error)
        self.told += self.items.final(final)

    def final_of(self, speaker: int | None) -> None:
        segments = None if speaker is None else (SpeakerSegment(SECOND, 24_000, "And so", speaker),)
        final = Final(1, 1, "And so", SECOND, 3 * SECOND, "en", None, 1.0, False, segments=segments)
        self.told += self.items.final(final)

    def revise(self, speaker: int | None) -> None:
        segments = (SpeakerSegment(SECOND, 24_000, "And so", speaker),)
        self.told += self.items.revised(SpeakerRevision((FinalSpeakers(1, speaker, segments),)))

    def flush(self, *, ended_utterance: bool = False) -> None:
        if ended_utterance:
            self.end()
        self.told += self.items.flushed(Flushed(2 * SECOND, ended_utterance))

    def spare(self, at_s: int, *, is_open: bool = True) -> None:
        event = Flushed(at_s * SECOND, ended_utterance=False, is_open=is_open)
        self.told += self.items.flushed(event)

    def discard(self) -> None:
        self.told += self.items.discarded()

    def kinds(self) -> list[str]:
        return [event["type"].rsplit(".", 1)[-1] for event in self.told]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.told if event["type"].endswith(f".{kind}")]

    def deltas(self, number: int = 1) -> list[str]:
        return [e["delta"] for e in self.of("delta") if e["item_id"] == f"item_s_{number}"]

    def transcripts(self) -> dict[str, str]:
        return {event["item_id"]: event["transcript"] for event in self.of("completed")}


COMMITTED = ["committed", "added", "done"]


# With turn detection.


def test_an_utterance_is_an_item_from_its_start_to_its_words() -> None:
    talk = Talk()
    talk.start()
    talk.guess("And so")
    talk.end()
    talk.final("And so my fellow")
    expected = ["speech_started", "delta", "speech_stopped", *COMMITTED, "delta", "completed"]
    assert talk.kinds() == expected
    assert {event["item_id"] for event in talk.told if "item_id" in event} == {"item_s_1"}
    assert talk.of("speech_started")[0]["audio_start_ms"] == 1000
    assert talk.of("speech_stopped")[0]["audio_end_ms"] == 2000
    assert talk.of("added")[0]["item"]["id"] == "item_s_1"
    (completed,) = talk.of("completed")
    assert completed["transcript"] == "".join(talk.deltas()) == "And so my fellow"
    assert completed["usage"] == {"type": "duration", "seconds": 2.0}
    assert completed["languages"] == [{"code": "en"}]


def test_deltas_hold_only_what_is_new_and_stable() -> None:
    talk = Talk()
    talk.start()
    for stable in ("", "And", "And", "And so my", "And so my"):
        talk.guess(stable)
    assert talk.deltas() == ["And", " so my"]


def test_a_different_final_replaces_partials_without_a_retraction() -> None:
    talk = Talk()
    talk.start()
    talk.guess("And sow")
    talk.end()
    talk.final("And so my fellow")
    assert talk.deltas() == ["And sow"]
    assert talk.transcripts() == {"item_s_1": "And so my fellow"}


def test_words_may_come_after_later_items_have_begun() -> None:
    talk = Talk()
    talk.start()
    talk.end()
    talk.start()
    talk.guess("second")
    assert talk.deltas(2) == []  # clients that ignore item IDs would mix them up
    talk.end()
    talk.final("First.")
    talk.final("second.")
    assert talk.transcripts() == {"item_s_1": "First.", "item_s_2": "second."}
    assert talk.deltas(2) == ["second", "."]
    assert [event["previous_item_id"] for event in talk.of("committed")] == [None, "item_s_1"]


def test_an_utterance_that_could_not_be_recognised_fails_its_item() -> None:
    talk = Talk()
    talk.start()
    talk.end()
    talk.final("", error="poison_job")
    (failed,) = talk.of("failed")
    assert (failed["item_id"], failed["error"]["code"]) == ("item_s_1", "poison_job")
    assert not talk.of("completed")


def test_a_commit_of_the_client_s_own_ends_the_turn_once() -> None:
    talk = Talk()
    talk.start()
    talk.flush(ended_utterance=True)
    talk.final("words")
    assert talk.kinds() == ["speech_started", "speech_stopped", *COMMITTED, "delta", "completed"]


# Without turn detection.


def test_an_item_is_the_speech_between_two_commits() -> None:
    talk = Talk(detects_turns=False)
    for text in ("One.", "Two."):
        talk.start()
        talk.end()
        talk.final(text)
    assert talk.kinds() == ["delta", "delta"]
    talk.start()
    talk.flush(ended_utterance=True)
    talk.start()  # belongs to the next item
    talk.final("Three.")
    assert talk.kinds() == ["delta", "delta", *COMMITTED, "delta", "completed"]
    assert talk.transcripts() == {"item_s_1": "One. Two. Three."}
    assert "".join(talk.deltas()) == "One. Two. Three."
    assert talk.of("completed")[0]["usage"]["seconds"] == 6.0
    talk.flush(ended_utterance=True)
    talk.final("Four.")
    assert talk.transcripts()["item_s_2"] == "Four."


def test_silence_is_an_item_without_words_at_once() -> None:
    talk = Talk(detects_turns=False)
    talk.flush()
    assert talk.kinds() == [*COMMITTED, "completed"]
    assert talk.transcripts() == {"item_s_1": ""}


def test_utterances_of_an_item_are_reported_one_after_another() -> None:
    talk = Talk(detects_turns=False)
    talk.start()
    talk.flush(ended_utterance=True)  # the first item waits for its final
    talk.start()
    talk.end()
    talk.start()
    talk.guess("third")
    assert talk.deltas(2) == []
    talk.final("First.")
    assert talk.deltas(2) == []
    talk.final("Second.")
    assert talk.deltas(2) == ["Second.", " third"]


def test_languages_without_spaces_are_joined_without() -> None:
    talk = Talk(detects_turns=False)
    for text in ("そして", "国民"):
        talk.start()
        talk.end()
        talk.final(text, language="ja")
    talk.flush()
    assert talk.transcripts() == {"item_s_1": "そして国民"}
    assert talk.deltas() == ["そして", "国民"]


def test_words_stay_apart_also_where_a_final_took_all_of_them_back() -> None:
    talk = Talk(detects_turns=False)
    talk.start()
    talk.guess("noise")
    talk.end()
    talk.final("")
    talk.start()
    talk.guess("words")
    assert talk.deltas() == ["noise", " words"]


def test_some_words_are_better_than_a_failure() -> None:
    talk = Talk(detects_turns=False)
    for text, error in (("One.", None), ("", "poison_job")):
        talk.start()
        talk.end()
        talk.final(text, error)
    talk.flush()
    assert talk.transcripts() == {"item_s_1": "One."}


def test_cleared_audio_is_never_transcribed_but_committed_audio_is() -> None:
    talk = Talk(detects_turns=False)
    talk.start()
    talk.flush(ended_utterance=True)
    talk.start()
    talk.end()
    talk.start()
    talk.discard()
    assert talk.kinds()[-1] == "cleared"
    talk.final("Committed.")
    talk.final("Cleared.")
    talk.start()
    talk.flush(ended_utterance=True)
    talk.final("Next.")
    assert set(talk.transcripts().values()) == {"Committed.", "Next."}
    assert talk.deltas(2) == []


def test_uncommitted_items_are_completed_at_the_end() -> None:
    talk = Talk(detects_turns=False)
    talk.start()
    talk.end()
    talk.final("One.")
    talk.start()
    talk.told += talk.items.close()
    assert talk.transcripts() == {"item_s_1": "One."}
    assert talk.items.close() == []


def test_a_turn_that_began_before_turns_were_switched_off_waits_for_its_commit() -> None:
    talk = Talk()
    talk.start()
    talk.detects_turns = False
    talk.end()
    talk.final("One.")
    assert not talk.of("committed")
    talk.detects_turns = True
    talk.flush()
    assert talk.transcripts() == {"item_s_1": "One."}


# Commits that spare the open utterance.


def sparing() -> Talk:
    """Return a stream with an open utterance from 1 s on, which a commit has spared."""
    talk = Talk(detects_turns=False)
    talk.start()
    talk.guess("And so")
    talk.spare(2)
    return talk


def test_a_spared_utterance_completes_its_item_when_it_ends() -> None:
    talk = sparing()
    assert talk.kinds() == ["delta", *COMMITTED]
    talk.guess("And so my fellow")
    talk.end()
    talk.final("And so, my fellow Americans.")
    assert talk.transcripts() == {"item_s_1": "And so, my fellow Americans."}


def test_the_next_commit_completes_it_with_the_stable_text_and_the_rest_follows() -> None:
    talk = sparing()
    talk.guess("And so my")
    talk.spare(3)
    assert talk.transcripts() == {"item_s_1": "And so my"}
    talk.guess("And so my fellow")
    talk.spare(4)
    talk.end()
    talk.final("And so, my fellow Americans: ask not.")
    assert talk.transcripts() == {
        "item_s_1": "And so my",
        "item_s_2": "fellow",
        "item_s_3": "Americans: ask not.",
    }
    assert [talk.deltas(number) for number in (1, 2, 3)] == [["And so", " my"], ["fellow"], []]
    assert [event["usage"]["seconds"] for event in talk.of("completed")] == [2.0, 1.0, 0.0]


def test_a_commit_between_two_stable_words_has_no_text() -> None:
    talk = sparing()
    talk.spare(3)
    talk.spare(4)
    talk.end()
    talk.final("And so my fellow.")
    assert talk.transcripts() == {"item_s_1": "And so", "item_s_2": "", "item_s_3": "my fellow."}


def test_text_of_a_later_utterance_waits_for_the_final_before_it() -> None:
    talk = Talk(detects_turns=False)
    talk.start()
    talk.flush(ended_utterance=True)
    talk.start()
    talk.guess("second")
    talk.spare(3)
    talk.spare(4)
    assert talk.transcripts() == {"item_s_2": ""}  # its deltas would be before the first's
    talk.final("First.")
    talk.end()
    talk.final("Second one.")
    assert list(talk.transcripts().values()) == ["", "First.", "Second one."]


def test_a_commit_that_ends_a_spared_utterance_has_its_rest() -> None:
    talk = sparing()
    talk.flush(ended_utterance=True)
    talk.final("And so my fellow")
    assert talk.transcripts() == {"item_s_1": "And so", "item_s_2": "my fellow"}


def test_a_commit_after_a_spared_utterance_has_none_of_it() -> None:
    talk = sparing()
    talk.end()
    talk.spare(3, is_open=False)
    assert talk.transcripts() == {"item_s_2": ""}
    talk.final("And so my fellow")
    assert talk.transcripts()["item_s_1"] == "And so my fellow"
    talk.start()
    talk.flush(ended_utterance=True)
    talk.final("Americans")
    assert talk.transcripts()["item_s_3"] == "Americans"


@pytest.mark.parametrize("ends", [Talk.discard, lambda talk: talk.told.extend(talk.items.close())])
def test_committed_text_is_kept_whatever_ends_the_utterance(ends: Callable[[Talk], None]) -> None:
    talk = sparing()
    ends(talk)
    assert talk.transcripts() == {"item_s_1": "And so"}
    assert not talk.items.close()


# Speakers.


def test_a_final_has_a_segment_for_each_speaker_before_its_item_is_complete() -> None:
    talk = Talk()
    talk.start()
    talk.end()
    talk.final_of(1)
    assert talk.kinds()[-3:] == ["delta", "segment", "completed"]
    assert talk.of("segment") == [
        {
            "type": "conversation.item.input_audio_transcription.segment",
            "item_id": "item_s_1",
            "content_index": 0,
            "id": "seg_s_1",
            "text": "And so",
            "speaker": "B",
            "start": 1.0,
            "end": 1.5,
        }
    ]
    talk.revise(0)  # a segment can't be replaced
    assert len(talk.of("segment")) == 1


def test_a_known_speaker_has_a_name_at_once_or_late() -> None:
    segments = (SpeakerSegment(SECOND, 24_000, "And so", 1),)
    known = (Speaker(1, "Ann"),)
    for is_late in (False, True):
        talk = Talk()
        talk.start()
        talk.end()
        final = Final(1, 1, "And so", SECOND, 3 * SECOND, "en", None, 1.0, False)
        named = replace(final, segments=segments, speakers=known)
        talk.told += talk.items.final(final if is_late else named)
        revision = SpeakerRevision((FinalSpeakers(1, 1, segments, known),))
        talk.told += talk.items.revised(revision)
        assert [each["speaker"] for each in talk.of("segment")] == ["Ann"]


def test_a_late_speaker_gets_its_segment_once() -> None:
    talk = Talk()
    talk.start()
    talk.end()
    talk.final_of(None)
    assert not talk.of("segment")
    talk.revise(None)
    talk.revise(0)
    talk.revise(1)
    assert [segment["speaker"] for segment in talk.of("segment")] == ["A"]


def test_only_the_newest_finals_wait_for_late_speakers() -> None:
    talk = Talk()
    for id in range(MAX_WITHOUT_SPEAKERS + 1):
        talk.start()
        talk.end()
        talk.told += talk.items.final(Final(id, id, "A", 0, 1, "en", None, 1.0, False))
    segments = (SpeakerSegment(0, 1, "A", 0),)
    for id in (0, 1):
        talk.told += talk.items.revised(SpeakerRevision((FinalSpeakers(id, 0, segments),)))
    assert len(talk.of("segment")) == 1
