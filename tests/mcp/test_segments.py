"""Pages have all segments, once, and a limited size."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.client.api.results import NamedSpeaker
from auricle.mcp.segments import (
    MAX_NAMES,
    MAX_PAGE_CHARACTERS,
    MAX_PAGE_SEGMENTS,
    MAX_SEGMENT_CHARACTERS,
    names_of,
    page_of,
    segment_of,
)

pytestmark = pytest.mark.unit


@given(sizes=st.lists(st.integers(0, 9000), max_size=700))
def test_pages_follow_each_other(sizes: list[int]) -> None:
    segments = [segment_of(0, 1, "x" * size, None, {}) for size in sizes]
    read: list[Any] = []
    first: int | None = 0
    while first is not None:
        page = page_of(segments, first, dict)
        size = sum(len(each["text"]) for each in page["segments"])
        assert len(page["segments"]) <= MAX_PAGE_SEGMENTS
        assert size <= MAX_PAGE_CHARACTERS
        read += page["segments"]
        first = page["next"]
    assert read == segments


def test_a_page_after_the_end_is_empty() -> None:
    assert page_of([], 5, dict) == {"segments": [], "total_segments": 0, "next": None}


def test_a_segment_without_pauses_is_cut() -> None:
    segment = segment_of(0.123, 4.567, " " + "x" * 20_000, 1, {})
    assert segment == {
        "start_s": 0.12,
        "end_s": 4.57,
        "speaker": "Speaker 2",
        "text": "x" * MAX_SEGMENT_CHARACTERS + "…",
    }


def test_names_are_those_of_named_speakers() -> None:
    assert names_of([NamedSpeaker(0), NamedSpeaker(1, "Berta"), NamedSpeaker(2, "")]) == {
        1: "Berta"
    }
    assert len(names_of([NamedSpeaker(n, "x") for n in range(5000)])) == MAX_NAMES


def test_only_the_segments_of_a_page_are_built() -> None:
    built: list[int] = []

    def build(number: int) -> dict[str, Any]:
        built.append(number)
        return segment_of(number, number + 1, "Yes.", None, {})

    page = page_of(range(20_000), 5000, build)
    assert (page["total_segments"], page["next"]) == (20_000, 5000 + MAX_PAGE_SEGMENTS)
    assert built == list(range(5000, 5000 + MAX_PAGE_SEGMENTS))
