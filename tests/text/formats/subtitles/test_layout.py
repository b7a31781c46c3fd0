"""Where cues and lines break: golden vectors, shared with the web page, and invariants."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.text.formats.base import MAX_CUE_MS, USUAL, SubtitleLimits
from auricle.text.formats.subtitles.layout import (
    MAX_DELAY_MS,
    Cue,
    Spoken,
    lay_out,
    settle,
    text_width,
)

pytestmark = pytest.mark.unit

VECTORS = json.loads(
    (Path(__file__).parents[4] / "testdata/subtitle_vectors.json").read_text(encoding="utf-8")
)


def spoken(span: dict[str, Any]) -> Spoken:
    return Spoken(span["start"], max(span["start"], span["end"]), span["text"])


def cue(span: dict[str, Any]) -> Cue:
    return Cue(span["start"], span["end"], span["text"])


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_cues_are_those_of_the_vectors(vector: dict[str, Any]) -> None:
    sentences = [
        [spoken(each) for each in sentence.get("words") or [sentence]]
        for sentence in vector["sentences"]
    ]
    sentences.sort(key=lambda words: words[0].start_ms)
    limits = SubtitleLimits(vector["max_line_width"], vector["max_lines"])
    found = settle(lay_out(sentences, limits), map(cue, vector["gaps"]))
    assert list(found) == list(map(cue, vector["cues"]))


TEXTS = st.lists(
    st.one_of(
        st.text(st.sampled_from("abcdefg.,!?'\"-()"), min_size=1, max_size=60),
        st.text(st.sampled_from("中文字。、，「」ーっ한국เแะา"), min_size=1, max_size=60),
        st.sampled_from(["and", "the", "Mr.", "Yes.", "e\u0301te\u0301", "👩\u200d👧"]),
    ),
    max_size=12,
).map(" ".join)
SENTENCES = st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 9000), TEXTS), max_size=6)
LIMITS = st.builds(SubtitleLimits, st.integers(10, 60), st.integers(1, 4))


def placed(sentences: list[tuple[int, int, str]]) -> list[list[Spoken]]:
    """Concatenate sentences, each with its pause and its length."""
    found, at_ms = [], 0
    for pause_ms, length_ms, text in sentences:
        start_ms = at_ms + pause_ms
        at_ms = start_ms + length_ms
        found.append([Spoken(start_ms, at_ms, text)])
    return found


@given(sentences=SENTENCES, limits=LIMITS)
def test_no_letter_is_lost_and_no_cue_is_larger_than_allowed(
    sentences: list[tuple[int, int, str]], limits: SubtitleLimits
) -> None:
    cues = list(lay_out(placed(sentences), limits))
    said = "".join("".join(text.split()) for _, _, text in sentences)
    assert "".join("".join(cue.text.split()) for cue in cues) == said
    for each in cues:
        lines = each.text.split("\n")
        assert len(lines) <= limits.max_lines
        for line in lines:
            assert line == line.strip() != ""
            assert text_width(line) <= limits.max_line_width


@given(sentences=SENTENCES)
def test_cues_are_in_order_last_a_second_where_there_is_room_and_are_hardly_late(
    sentences: list[tuple[int, int, str]],
) -> None:
    laid_out = list(lay_out(placed(sentences), USUAL))
    cues = list(settle(laid_out))
    assert [each.text for each in cues] == [each.text for each in laid_out]
    for before, after in pairwise(cues):
        assert before.start_ms < before.end_ms <= after.start_ms
    for index, (own, texts) in enumerate(zip(laid_out, cues, strict=True)):
        assert own.start_ms <= texts.start_ms
        length_ms = texts.end_ms - texts.start_ms
        assert length_ms <= MAX_CUE_MS
        needed_ms = min(MAX_CUE_MS, max(1000, text_width(texts.text) * 1000 / 21))
        if index + 1 == len(cues) or cues[index + 1].start_ms > texts.end_ms:
            assert length_ms >= needed_ms - 1  # there was enough time


def test_speech_faster_than_can_be_read_is_a_second_late_at_most() -> None:
    words = [Spoken(at, at + 150, " subtitles") for at in range(0, 60_000, 150)]
    laid_out = list(lay_out([words], USUAL))
    for own, texts in zip(laid_out, settle(laid_out), strict=True):
        assert 0 <= texts.start_ms - own.start_ms <= MAX_DELAY_MS


def test_an_hour_of_speech_without_a_pause_is_laid_out() -> None:
    words = [Spoken(at, at + 300, "字") for at in range(0, 3_600_000, 300)]
    cues = list(lay_out([words], USUAL))
    assert all(each.end_ms - each.start_ms <= MAX_CUE_MS for each in cues)
