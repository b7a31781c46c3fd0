"""Only a sentence that a pause split is continued in lower case; others begin with a capital."""

import pytest

from auricle.session.utterances.continuation import continued, has_full_stop, is_open

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("before", "is_in_a_sentence"),
    [
        ("And so my fellow Americans,", True),
        ("And so my fellow Americans", True),
        ("We're about...", True),
        ("We're about…", True),
        ("And then –", True),
        ("That is all.", False),
        ('He said "Stop."', False),
        ("Is it?", False),
        ("好。", False),
        ("", False),
    ],
)
def test_a_text_without_a_mark_at_its_end_is_in_a_sentence(
    before: str, is_in_a_sentence: bool
) -> None:
    assert is_open(before) is is_in_a_sentence


@pytest.mark.parametrize(
    ("text", "before", "language", "expected"),
    [
        ("And the rest.", "one part,", "en", "and the rest."),
        ("And the rest.", "one part.", "en", "And the rest."),
        ("And", "one part", "en", "and"),
        ("A, B, C.", "X, Y,", "en", "A, B, C."),
        ("John came.", "when", "en", "John came."),
        ("I think so.", "and", "en", "I think so."),
        ("IT works.", "because", "en", "IT works."),
        ("- And so on.", "one part", "en", "- And so on."),
        ("Sie gehen.", "wenn", "de", "Sie gehen."),
        ("Und dann.", "erst das,", "de", "und dann."),
        ("Haus und Hof.", "mit", "de", "Haus und Hof."),
        ("And the rest.", "one part,", "ja", "And the rest."),
        ("And the rest.", "one part,", None, "And the rest."),
        ("", "one part,", "en", ""),
        ("already small", "one part,", "en", "already small"),
    ],
)
def test_only_words_that_join_continue_in_lower_case(
    text: str, before: str, language: str | None, expected: str
) -> None:
    assert continued(text, before, language) == expected


@pytest.mark.parametrize(
    ("text", "before", "language", "expected"),
    [
        ("has never been surpassed.", "of typography.", "en", "Has never been surpassed."),
        (" by nightfall everyone", "into town.", "en", " By nightfall everyone"),
        ("- and so on.", "Is it?", "en", "- and so on."),
        ("iPhone sales rose.", "That is all.", "en", "iPhone sales rose."),
        ("und dann.", "Das war es.", "de", "Und dann."),
        ("élan vital.", "C'est tout.", None, "Élan vital."),
        ("და მერე", "ეს არის.", "ka", "და მერე"),
        ("50 people came.", "That is all.", "en", "50 people came."),
        ("好。", "好。", "zh", "好。"),
        ("already small", "And so", "en", "already small"),
    ],
)
def test_after_the_end_of_a_sentence_a_text_begins_with_a_capital(
    text: str, before: str, language: str | None, expected: str
) -> None:
    assert continued(text, before, language) == expected


@pytest.mark.parametrize(
    ("text", "has_it"),
    [
        ("It is full.", True),
        ("Strasbourg.", True),
        ("火车满了。", True),
        ("Is it full?", False),
        ("It is...", False),
        ("It leaves at 5 p.m.", False),
        ("I have met Mr.", False),
        ("It is full", False),
        (".", True),
        ("", False),
    ],
)
def test_a_full_stop_ends_a_sentence_and_no_abbreviation(text: str, has_it: bool) -> None:
    assert has_full_stop(text) is has_it
