"""Long speech, the end of the stream, and discarded audio."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.audio.endpointer import (
    Endpointer,
    Endpointing,
    EndpointRules,
    Pause,
    Resumed,
    SpeechStart,
    UtteranceEnd,
)
from auricle.audio.vad import SPEECH_THRESHOLD
from tests.audio.endpointer.helpers import LEAD, RULES, TRAIL, Script, W, ends, hear, probabilities

pytestmark = pytest.mark.unit


def starts(happened: list[Endpointing]) -> list[SpeechStart]:
    return [event for event in happened if isinstance(event, SpeechStart)]


def test_beyond_the_soft_limit_any_dip_ends_it() -> None:
    soft_windows = 12 * 16_000 // W
    happened = hear([(0.9, soft_windows + 1), (0, 5), (0.9, 30), (0, 5), (0.9, 30)])
    first, second = ends(happened)
    assert first.end_sample == (soft_windows + 1) * W + 1_200  # the middle of the 150 ms
    assert not first.is_cut
    assert second.start_sample == first.end_sample
    assert second.end_sample == (soft_windows + 71) * W


def test_before_the_soft_limit_it_does_not() -> None:
    soft_windows = 12 * 16_000 // W
    assert len(ends(hear([(0.9, soft_windows - 40), (0, 5), (0.9, 30)]))) == 1


def test_what_a_pause_predicted_holds_when_the_soft_limit_passes_in_it() -> None:
    soft_windows = 12 * 16_000 // W
    happened = hear([(0.9, soft_windows - 4), (0, 40)])
    pauses = [event for event in happened if isinstance(event, Pause)]
    (end,) = ends(happened)
    assert pauses == [Pause(end.end_sample)]


def test_endless_speech_is_cut_and_continues_at_the_very_sample() -> None:
    happened = hear([(0.9, 3_000), (0, 30)])
    assert all(end.is_cut for end in ends(happened)[:-1])
    assert not ends(happened)[-1].is_cut
    for end, start in zip(ends(happened)[:-1], starts(happened)[1:], strict=True):
        assert start.start_sample == start.at_sample == end.end_sample == end.speech_end_sample
    lengths = [end.end_sample - end.start_sample for end in ends(happened)]
    assert max(lengths) <= 25 * 16_000
    assert min(lengths[:-1]) >= 25 * 16_000 * 2 // 3 - W
    assert ends(happened)[0].start_sample == 0
    assert ends(happened)[-1].speech_end_sample == 3_000 * W


def test_endless_speech_is_cut_at_its_dip() -> None:
    script = [(0.95, 600), (0.6, 3), (0.95, 300), (0.0, 30)]
    first, second = ends(hear(script))
    assert first == UtteranceEnd(0, 601 * W, 601 * W, is_cut=True)
    assert second.start_sample == 601 * W


def test_equally_likely_speech_is_cut_where_it_is_quietest() -> None:
    pcm = np.full(1_000 * W, 5_000, np.int16)
    pcm[700 * W : 701 * W] = 3
    first, *_ = ends(hear([(0.9, 1_000)], pcm=pcm))
    assert first.end_sample == 700 * W


def test_a_dip_at_the_hard_limit_itself_ends_it_without_a_cut() -> None:
    hard_windows = 25 * 16_000 // W
    first, second = ends(hear([(0.9, hard_windows - 3), (0, 3), (0.9, 30), (0, 30)]))
    assert first.speech_end_sample == (hard_windows - 3) * W
    assert first.end_sample <= hard_windows * W
    assert not first.is_cut
    assert second.start_sample == first.end_sample


def test_the_end_of_the_stream_ends_an_utterance() -> None:
    (end,) = ends(hear([(0, 10), (0.9, 30)], tail=100))
    assert end == UtteranceEnd(10 * W - LEAD, 40 * W + 100, 40 * W, is_cut=False)
    assert end.is_unfinished


def test_an_end_within_a_pause_keeps_what_was_predicted() -> None:
    happened = hear([(0.9, 30), (0, 10)])
    assert happened[1:] == [
        Pause(30 * W + TRAIL),
        UtteranceEnd(0, 30 * W + TRAIL, 30 * W, is_cut=False),
    ]
    assert not ends(happened)[0].is_unfinished


def test_an_utterance_finished_in_mid_word_continues_in_the_next_without_loss() -> None:
    endpointer = Endpointer(RULES)
    first = hear([(0.9, 30)], tail=200, endpointer=endpointer)
    assert ends(first)[0].end_sample == 30 * W + 200
    assert endpointer.needed_sample == 30 * W + 200
    rest = endpointer.receive(np.zeros(2 * W - 200, np.int16), np.array([0.9, 0.9], np.float32))
    assert rest == [SpeechStart(30 * W + 200, 30 * W + 200)]
    (end,) = ends(endpointer.finish())
    assert (end.start_sample, end.speech_end_sample) == (30 * W + 200, 32 * W)


def test_a_beginning_that_may_be_speech_outlives_a_finish() -> None:
    endpointer = Endpointer(RULES)
    assert hear([(0, 20), (0.9, 2)], endpointer=endpointer) == []
    assert hear([(0.9, 1)], endpointer=endpointer)[0] == SpeechStart(20 * W - LEAD, 20 * W)


def test_it_reports_where_it_is() -> None:
    endpointer = Endpointer(RULES, start_sample=5)
    assert (endpointer.received_sample, endpointer.needed_sample) == (5, 5)
    assert endpointer.speech_end_sample is None
    endpointer.receive(np.zeros(40 * W + 9, np.int16), np.zeros(40, np.float32))
    assert endpointer.received_sample == 5 + 40 * W + 9
    assert endpointer.needed_sample == 5 + 40 * W - LEAD
    endpointer.receive(np.zeros(W, np.int16), np.full(1, 0.9, np.float32))
    assert not endpointer.is_open
    assert endpointer.speech_end_sample is None
    assert endpointer.needed_sample == 5 + 40 * W - LEAD
    endpointer.receive(np.zeros(2 * W, np.int16), np.full(2, 0.9, np.float32))
    assert endpointer.is_open
    assert endpointer.speech_end_sample == 5 + 43 * W


def test_probabilities_of_samples_that_were_not_received_are_refused() -> None:
    endpointer = Endpointer(RULES)
    endpointer.receive(np.zeros(W - 1, np.int16), np.zeros(0, np.float32))
    with pytest.raises(ValueError, match="not received"):
        endpointer.receive(np.zeros(0, np.int16), np.zeros(1, np.float32))


@pytest.mark.parametrize(
    "rules",
    [
        {"endpoint_ms": 0},
        {"dip_ms": 0},
        {"pre_roll_ms": -1},
        {"post_roll_ms": -1},
        {"speculate_ms": 95},
        {"soft_limit_s": 26},
        {"hard_limit_s": 30.1},
        {"pre_roll_ms": 1_001, "soft_limit_s": 4, "hard_limit_s": 4},
    ],
)
def test_rules_that_can_not_be_kept_are_refused(rules: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"."):
        EndpointRules(**rules)


SCRIPTS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.3, 0.4, 0.5, 0.7, 0.99]), st.integers(1, 150)),
    min_size=1,
    max_size=25,
)
MANY_RULES = st.sampled_from(
    [
        RULES,
        EndpointRules(endpoint_ms=100),
        EndpointRules(endpoint_ms=5_000),
        EndpointRules(pre_roll_ms=0, post_roll_ms=0, speculate_ms=0),
        EndpointRules(soft_limit_s=2, hard_limit_s=4),
        EndpointRules(soft_limit_s=4, hard_limit_s=4, endpoint_ms=3_000),
    ]
)


@given(script=SCRIPTS, rules=MANY_RULES, chunk=st.integers(50, 90_000), tail=st.integers(0, W - 1))
def test_any_split_reports_the_same_and_every_speech_is_in_exactly_one_utterance(
    script: Script, rules: EndpointRules, chunk: int, tail: int
) -> None:
    happened = hear(script, rules, chunk=chunk, tail=tail)
    assert happened == hear(script, rules, chunk=10**9, tail=tail)
    spans = [(end.start_sample, end.end_sample) for end in ends(happened)]
    assert [start.start_sample for start in starts(happened)] == [start for start, _ in spans]
    assert all(0 <= start < end <= start + rules.hard_limit_s * 16_000 for start, end in spans)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    covered = np.zeros(len(probabilities(script)), bool)
    for start, end in spans:  # windows that an utterance only holds in part are held by two
        covered[start // W : -(-end // W)] = True
    lost = np.flatnonzero((np.array(probabilities(script)) >= SPEECH_THRESHOLD) & ~covered)
    for run in np.split(lost, np.flatnonzero(np.diff(lost) > 1) + 1):
        assert run.size <= 2  # clicks


@given(script=SCRIPTS, rules=MANY_RULES, data=st.data())
def test_another_that_continues_from_what_is_needed_finds_the_same_utterances(
    script: Script, rules: EndpointRules, data: st.DataObject
) -> None:
    likely = np.array(probabilities(script), np.float32)
    until = data.draw(st.integers(1, likely.size), label="windows before the first is gone")
    first = Endpointer(rules)
    first.receive(np.zeros(until * W, np.int16), likely[:until])
    border, context_sample = first.needed_sample, first.context_sample
    expected = first.receive(np.zeros((likely.size - until) * W, np.int16), likely[until:])
    # It may start at any window from which on it is clear whether somebody speaks.
    clear = [i for i in range(border // W) if likely[i] >= 0.5 or likely[i] < 0.35]
    begin = data.draw(st.sampled_from([0, *clear]), label="windows that the second never receives")
    second = Endpointer(rules, begin * W, border)
    events = second.receive(np.zeros((likely.size - begin) * W, np.int16), likely[begin:])
    same, others = ends(events + second.finish()), ends(expected + first.finish())
    if begin * W > context_sample:  # what comes before the second's audio can't be its context
        same, others = (
            [replace(end, context_sample=None) for end in some] for some in (same, others)
        )
    assert same == others


def test_speech_before_the_resume_sample_is_no_utterance() -> None:
    endpointer = Endpointer(RULES, start_sample=W, resume_sample=40 * W)
    assert hear([(0.9, 20), (0, 60)], endpointer=endpointer) == []
    assert Endpointer(RULES, W, 40 * W).needed_sample == 40 * W


def test_what_is_discarded_before_the_border_leaves_it_where_it_is() -> None:
    endpointer = Endpointer(RULES, start_sample=W, resume_sample=40 * W)
    endpointer.discard()
    assert hear([(0.9, 20), (0, 60)], endpointer=endpointer) == []


@given(script=SCRIPTS, rules=MANY_RULES)
def test_events_come_in_their_order(script: Script, rules: EndpointRules) -> None:
    state, following = "idle", None
    predicted_end = None
    for event in hear(script, rules):
        match event:
            case SpeechStart():
                assert state == "idle"
                assert following in (None, event.start_sample)
                assert event.start_sample <= event.at_sample
                state, opened = "open", event.start_sample
            case Pause():
                assert state == "open"
                state, predicted_end = "paused", event.end_sample
            case Resumed():
                assert state == "paused"
                state = "open"
            case UtteranceEnd():
                assert state in ("open", "paused")
                assert event.start_sample == opened
                assert event.start_sample < event.speech_end_sample <= event.end_sample
                # While it waits for the end of the silence, it may reach the hard limit.
                wait_s = 1.0 if event.is_doubtful else rules.endpoint_ms / 1000
                latest_s = (event.end_sample - event.start_sample) / 16_000 + wait_s
                is_at_limit = latest_s > rules.hard_limit_s
                may_be_split = is_at_limit or rules.soft_limit_s == rules.hard_limit_s
                if state == "paused" and not may_be_split:
                    assert event.end_sample == predicted_end
                state, following = "idle", event.end_sample if event.is_cut else None
    assert state == "idle"


def test_what_is_discarded_is_no_utterance_and_what_follows_has_to_be_speech() -> None:
    endpointer = Endpointer(RULES)
    likely = np.array(probabilities([(0, 10), (0.9, 20)]), np.float32)
    endpointer.receive(np.zeros(30 * W, np.int16), likely)
    assert endpointer.is_open
    endpointer.discard()
    assert not endpointer.is_open
    assert endpointer.needed_sample == 30 * W
    assert hear([(0.9, 2), (0, 60)], endpointer=endpointer) == []
    start, *_, end = hear([(0.9, 10), (0, 60)], endpointer=endpointer)
    assert isinstance(start, SpeechStart)
    assert isinstance(end, UtteranceEnd)


def test_speech_that_continues_after_a_reset_is_complete_once_detected() -> None:
    endpointer = Endpointer(RULES)
    likely = np.array(probabilities([(0, 10), (0.9, 20)]), np.float32)
    endpointer.receive(np.zeros(30 * W, np.int16), likely)
    (end,) = endpointer.finish()
    assert isinstance(end, UtteranceEnd)
    endpointer.reset_speech_state()
    start, *_ = hear([(0.9, 10), (0, 60)], endpointer=endpointer)
    assert start == SpeechStart(end.end_sample, 30 * W)


def test_an_engine_with_a_short_window_gets_short_utterances() -> None:
    assert EndpointRules().within(5) == replace(EndpointRules(), soft_limit_s=5, hard_limit_s=5)
    assert EndpointRules().within(30) == EndpointRules()


def test_a_lower_limit_applies_to_the_open_utterance_and_stays() -> None:
    endpointer = Endpointer(RULES)
    endpointer.receive(np.zeros(40 * W, np.int16), np.full(40, 0.9, np.float32))
    endpointer.limit(5)
    endpointer.limit(30)
    events = endpointer.receive(np.zeros(300 * W, np.int16), np.full(300, 0.9, np.float32))
    ends = [event for event in events if isinstance(event, UtteranceEnd)]
    assert ends
    assert all(end.end_sample - end.start_sample <= 5 * 16_000 for end in ends)
