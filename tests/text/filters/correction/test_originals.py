from dataclasses import replace

import pytest

from auricle.text.filters.correction.originals import with_originals
from auricle.text.filters.registry import open_filters
from auricle.values.text_filters import FilterChoice
from tests.text.helpers import segment, transcript

pytestmark = pytest.mark.unit


def test_segments_keep_their_texts_before_a_change_where_they_differ() -> None:
    before = (segment(0, "so we run cube"), segment(10, "ernetes um"), segment(20, "here"))
    after = transcript(segment(0, "so we run Kubernetes"), segment(20, "here"))
    kept = with_originals(after, before)
    assert [each.original for each in kept.segments] == [" so we run cube ernetes um", None]
    assert kept.segments[1] is after.segments[1]
    assert with_originals(after, after.segments) is after


def test_the_text_before_a_change_is_that_of_the_same_channel() -> None:
    first, second = (replace(segment(0, text), channel=at) for at, text in enumerate("ab"))
    after = transcript(replace(first, text=" x"), second)
    assert [each.original for each in with_originals(after, (first, second)).segments] == [
        " a",
        None,
    ]


def test_the_text_before_two_corrections_is_that_before_the_first() -> None:
    pairs = [("one", "two"), ("red", "blue")]
    filters = open_filters(
        FilterChoice.of("correction", {"replacements": [{"from": old, "to": new}]})
        for old, new in pairs
    )
    [written] = filters.transcript(transcript(segment(0, "one red"))).segments
    assert (written.text, written.original) == (" two blue", " one red")
    assert filters.final_with_original("one red", None, "en") == ("two blue", None, "one red")
