import pytest

from auricle.values.types import Segment, Word
from auricle.workers.kinds.speakers.voices.turns import Turn
from auricle.workers.kinds.speakers.voices.words import assign_speakers

pytestmark = pytest.mark.unit

S = 16_000
TURNS = [
    Turn(0, 4 * S, 0, 0.9),
    Turn(4 * S, 8 * S, 1, 0.8),
    Turn(10 * S, 12 * S, 0, 0.7),
]


def said(*words: tuple[str, float, float]) -> Segment:
    timed = tuple(Word(round(a * S), round(b * S), f" {text}", 0.9) for text, a, b in words)
    text = "".join(word.text for word in timed)
    return Segment(timed[0].start_sample, timed[-1].end_sample, text.strip(), timed, -0.2)


def parts(*segments: Segment) -> list[tuple[str, int | None, float, float]]:
    return [
        (part.text, part.speaker, part.start_sample / S, part.end_sample / S)
        for part in assign_speakers(segments, TURNS)
    ]


def test_a_segment_is_split_where_the_speaker_changes() -> None:
    segment = said(("How", 2, 2.5), ("much?", 3, 3.9), ("Ten", 4.1, 5), ("pounds.", 5, 6))
    assert parts(segment) == [("How much?", 0, 2, 3.9), ("Ten pounds.", 1, 4.1, 6)]
    first, second = assign_speakers([segment], TURNS)
    assert [word.speaker for word in first.words or ()] == [0, 0]
    assert [word.speaker_confidence for word in second.words or ()] == [0.8, 0.8]
    assert second.avg_logprob == -0.2


def test_a_segment_of_one_speaker_keeps_its_text_and_times() -> None:
    segment = Segment(0, 3 * S, "Wo ist es?", (Word(S, 2 * S, "Wo", 0.9),))
    (part,) = assign_speakers([segment], TURNS)
    assert (part.text, part.start_sample, part.end_sample, part.speaker) == (
        "Wo ist es?",
        0,
        3 * S,
        0,
    )


def test_a_word_belongs_to_the_turn_that_covers_most_of_it() -> None:
    assert [part[1] for part in parts(said(("early", 3.5, 4.1)), said(("late", 3.9, 4.5)))] == [
        0,
        1,
    ]


def test_a_word_outside_all_turns_belongs_to_the_nearest() -> None:
    spoken = said(("a", 8.2, 8.4)), said(("b", 9.7, 9.9)), said(("c", 20, 21))
    assert [part[1] for part in parts(*spoken)] == [1, 0, 0]


def test_a_change_one_word_from_the_end_of_a_sentence_is_moved_there() -> None:
    late = said(("Is", 2, 3), ("it.", 3, 3.5), ("No", 3.5, 4), ("it", 4.1, 5), ("isn't.", 5, 6))
    assert [part[0] for part in parts(late)] == ["Is it.", "No it isn't."]
    early = said(("Is", 2, 3), ("it", 3, 4), ("late?", 4.1, 4.5), ("No", 4.5, 5), ("way.", 5, 6))
    assert [part[0] for part in parts(early)] == ["Is it late?", "No way."]


def test_a_short_answer_is_not_moved() -> None:
    segment = said(("So", 3, 3.5), ("then", 3.5, 4), ("Yes.", 4.2, 5))
    assert [part[1] for part in parts(segment)] == [0, 1]


def test_a_segment_without_words_belongs_to_whom_it_has_most_speech_of() -> None:
    spans = [(3, 6), (2, 5.5), (8.5, 8.6), (7.5, 10.2)]
    segments = [Segment(round(a * S), round(b * S), "x") for a, b in spans]
    assert [part.speaker for part in assign_speakers(segments, TURNS)] == [1, 0, 1, 1]


def test_without_turns_nobody_speaks() -> None:
    segment = said(("Hello.", 1, 2))
    assert assign_speakers([segment], []) == (segment,)
