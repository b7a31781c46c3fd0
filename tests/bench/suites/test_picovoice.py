"""Word emission latency: a word counts from its last change, if it is right."""

from array import array

import numpy as np
import pytest

from auricle.cli.bench.stream import Played
from bench.live.play import Caption
from bench.live.speech import Spoken, SpokenWord, Talk
from bench.suites.picovoice import emitted, latencies
from bench.suites.streams import Stream

pytestmark = pytest.mark.unit


def caption(at_s: float, text: str, *, is_final: bool = False) -> Caption:
    return Caption(at_s, is_final, text, 0.0, 0.0)


def test_a_word_is_emitted_when_it_last_changes() -> None:
    captions = [
        caption(1.0, "The car"),
        caption(2.0, "The cat sat"),
        caption(3.0, "The cat sat."),
        caption(4.0, "The cat sat down.", is_final=True),
        caption(5.0, "It", is_final=True),
    ]
    assert [*emitted(captions)] == [
        ("the", 1.0),
        ("cat", 2.0),
        ("sat", 2.0),
        ("down", 4.0),
        ("it", 5.0),
    ]


def test_a_withdrawn_word_is_emitted_when_it_returns() -> None:
    captions = [
        caption(1.0, "one more"),
        caption(2.0, "one"),
        caption(3.0, "one more", is_final=True),
    ]
    assert [at_s for _, at_s in emitted(captions)] == [1.0, 3.0]


def test_a_word_beyond_a_final_keeps_its_time() -> None:
    captions = [
        caption(1.0, "a b c d"),
        caption(2.0, "a b", is_final=True),
        caption(2.0, "c e"),
        caption(3.0, "c e", is_final=True),
    ]
    assert [*emitted(captions)] == [("a", 1.0), ("b", 1.0), ("c", 1.0), ("e", 2.0)]


def test_a_word_beyond_the_last_final_is_not_emitted() -> None:
    captions = [caption(1.0, "a b"), caption(2.0, "a", is_final=True)]
    assert [*emitted(captions)] == [("a", 1.0)]


def test_the_last_partial_counts_if_no_final_follows() -> None:
    captions = [caption(1.0, "one", is_final=True), caption(2.0, "two"), caption(3.0, "too")]
    assert [*emitted(captions)] == [("one", 1.0), ("too", 3.0)]


def test_only_right_words_have_a_latency() -> None:
    spoken = (
        SpokenWord("Good", 0.0, 0.5),
        SpokenWord("day", 0.5, 0.8),
        SpokenWord("sir", 0.8, 1.0),
    )
    talk = Talk(np.zeros(32_000, np.int16), (Spoken("a", "Good day sir", spoken, 0.0, 1.1),))
    played = Played(1600, began_at=100.0, sent_at_s=array("d", (100.1 + i / 10 for i in range(20))))
    captions = [caption(101.2, "Good may sir", is_final=True)]
    found = latencies(Stream(talk, played, captions))
    assert found.spoken == 3
    assert found.delays_s == pytest.approx([101.2 - 100.6, 101.2 - 101.2], abs=0.001)
