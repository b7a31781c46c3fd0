"""Parts of kept segments: which words a change meets, and what becomes of their times."""

import pytest

from auricle.apis.transcripts.stored.parts import (
    KeptPart,
    KeptSegment,
    ParagraphChange,
    SegmentEdit,
    decode_parts,
    encode_parts,
    split,
)
from auricle.apis.transcripts.stored.words import KeptWord

pytestmark = pytest.mark.unit

WORDS = (
    KeptWord(1000, 1400, "Is"),
    KeptWord(1400, 1800, " it"),
    KeptWord(1800, 2500, " late?"),
    KeptWord(3000, 3400, " No."),
)
TIMED = KeptSegment(4, 1000, 3500, "Is it late? No.", 0, WORDS)


def edited(segment: KeptSegment, *changes: ParagraphChange) -> list[KeptSegment]:
    parts: tuple[KeptPart, ...] = ()
    for change in changes:
        edit = SegmentEdit(segment, parts)
        edit.apply(change, is_first=True)
        parts = decode_parts(encode_parts(edit.parts()))
    return list(split(segment, parts))


def said(segment: KeptSegment, *changes: ParagraphChange) -> list[tuple[str, int | None]]:
    return [(part.text, part.speaker) for part in edited(segment, *changes)]


def test_a_segment_is_split_at_a_word_and_words_keep_their_times() -> None:
    first, second = edited(TIMED, ParagraphChange(3000, 3500, 0, 1, None))
    assert (first.text, first.start_ms, first.end_ms, first.words) == (
        "Is it late?",
        1000,
        2500,
        WORDS[:3],
    )
    assert (second.text, second.start_ms, second.end_ms, second.words) == (
        "No.",
        3000,
        3500,
        WORDS[3:],
    )
    assert (first.speaker, second.speaker, second.position) == (0, 1, 4)


def test_an_undone_split_leaves_one_part() -> None:
    start = ParagraphChange(3000, 3500, 0, 0, True)
    assert [part.starts_paragraph for part in edited(TIMED, start)] == [None, True]
    (whole,) = edited(TIMED, start, ParagraphChange(3000, 3500, 0, 0, None))
    assert (whole.text, whole.words, whole.end_ms) == (TIMED.text, WORDS, 3500)


def test_a_change_meets_the_words_of_its_speaker_only() -> None:
    other = ParagraphChange(0, 9000, 5, 1, True)
    assert said(TIMED, other) == [("Is it late? No.", 0)]
    middle = ParagraphChange(1400, 1800, 0, 2, None)
    assert said(TIMED, middle) == [("Is", 0), ("it", 2), ("late? No.", 0)]
    all_of_0 = ParagraphChange(0, 9000, 0, 1, None)
    assert said(TIMED, middle, all_of_0) == [("Is", 1), ("it", 2), ("late? No.", 1)]


@pytest.mark.parametrize(
    ("text", "at_ms", "halves"),
    [
        ("Is it late? No.", 1000 + 2500 * 9 // 12, ["Is it late?", "No."]),
        ("今天很好", 2250, ["今天", "很好"]),
        (" Yes.", 1000, ["Yes."]),
    ],
)
def test_without_times_of_words_the_text_is_cut_by_their_lengths(
    text: str, at_ms: int, halves: list[str]
) -> None:
    segment = KeptSegment(0, 1000, 3500, text, None)
    assert [
        part for part, _ in said(segment, ParagraphChange(at_ms, 3500, None, 1, None))
    ] == halves


def test_times_off_by_the_rounding_meet_the_same_word() -> None:
    assert said(TIMED, ParagraphChange(1401, 3500, 0, 1, None))[0] == ("Is", 0)


def test_a_segment_without_text_has_one_part() -> None:
    assert said(KeptSegment(0, 0, 0, "", 0), ParagraphChange(0, 1, 0, 1, None)) == [("", 1)]
