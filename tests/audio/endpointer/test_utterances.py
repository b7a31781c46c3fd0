"""Where utterances begin and end."""

import numpy as np
import pytest

from auricle.audio.endpointer import (
    Endpointer,
    Endpointing,
    EndpointRules,
    Pause,
    Resumed,
    SpeechStart,
    UtteranceEnd,
)
from tests.audio.endpointer.helpers import LEAD, RULES, TRAIL, Script, W, ends, hear, probabilities

pytestmark = pytest.mark.unit

ENDPOINT_WINDOWS = 16  # 500 ms, rounded up
PAUSE_WINDOWS = 3


def feed(endpointer: Endpointer, script: Script) -> list[Endpointing]:
    """Play a script; the stream continues."""
    happened: list[Endpointing] = []
    for probability in probabilities(script):
        judged = np.array([probability], np.float32)
        happened += endpointer.receive(np.zeros(W, np.int16), judged)
    return happened


def test_silence_is_nothing() -> None:
    assert hear([(0.1, 3_000)]) == []
    assert Endpointer(RULES).finish() == []


def test_an_utterance_has_a_pre_roll_and_a_post_roll() -> None:
    assert hear([(0, 100), (0.9, 30), (0, 100)]) == [
        SpeechStart(100 * W - LEAD, 100 * W),
        Pause(130 * W + TRAIL),
        UtteranceEnd(100 * W - LEAD, 130 * W + TRAIL, 130 * W, is_cut=False),
    ]


def test_positions_count_from_where_the_session_starts() -> None:
    script = [(0.0, 20), (0.9, 30), (0.0, 20)]
    (start, pause, end) = hear(script, start=1_000_001)
    assert start == SpeechStart(1_000_001 + 20 * W - LEAD, 1_000_001 + 20 * W)
    assert pause == Pause(1_000_001 + 50 * W + TRAIL)
    assert isinstance(end, UtteranceEnd)
    assert end.end_sample == 1_000_001 + 50 * W + TRAIL


def test_a_lead_never_reaches_before_the_stream() -> None:
    assert hear([(0.9, 30)], start=77)[0] == SpeechStart(77, 77)


def test_it_ends_once_silence_has_lasted_long_enough() -> None:
    talk: Script = [(0.9, 30)]
    endpointer = Endpointer(RULES)
    script = probabilities([*talk, (0, ENDPOINT_WINDOWS)])
    happened: list[tuple[int, Endpointing]] = []
    for i, probability in enumerate(script):
        events = endpointer.receive(np.zeros(W, np.int16), np.array([probability], np.float32))
        happened += [(i + 1, event) for event in events]
    kinds = [(windows, type(event)) for windows, event in happened]
    assert kinds == [
        (3, SpeechStart),
        (30 + PAUSE_WINDOWS, Pause),
        (30 + ENDPOINT_WINDOWS, UtteranceEnd),
    ]


WEAK: Script = [(0.6, 12)]
SHORT_ENDPOINT = EndpointRules(endpoint_ms=300)
SECOND_WINDOWS = 32  # a second, rounded up


def test_a_short_weak_sound_waits_a_second_and_is_doubtful() -> None:
    happened = hear([(0, 20), *WEAK, (0, 40)], SHORT_ENDPOINT)
    assert happened == [
        SpeechStart(20 * W - LEAD, 20 * W),
        Pause(32 * W + TRAIL, is_doubtful=True, context_sample=20 * W - LEAD),
        UtteranceEnd(
            20 * W - LEAD,
            32 * W + TRAIL,
            32 * W,
            is_cut=False,
            is_doubtful=True,
            context_sample=20 * W - LEAD,
        ),
    ]
    (early,) = ends(
        hear([(0, 20), *WEAK, (0, SECOND_WINDOWS - 2), (0.9, 30), (0, 20)], SHORT_ENDPOINT)
    )
    assert (early.start_sample, early.is_doubtful) == (20 * W - LEAD, False)


@pytest.mark.parametrize(("gap_windows", "has_context"), [(20, True), (120, True), (140, False)])
def test_a_doubtful_utterance_soon_after_clear_speech_has_it_as_context(
    gap_windows: int, has_context: bool
) -> None:
    endpointer = Endpointer(SHORT_ENDPOINT, 1000)
    feed(endpointer, [(0, 200), (0.95, 30), (0, gap_windows), *WEAK])
    start = 1000 + (230 + gap_windows) * W - LEAD
    # It begins with the first window of clear speech in the 5 s before.
    oldest = -(-(start - 5 * 16_000 - 1000) // W)
    context = 1000 + max(200, oldest) * W if has_context else start
    assert endpointer.context_sample <= context
    (end,) = ends(feed(endpointer, [(0, 40)]))
    assert end.is_doubtful
    assert (end.start_sample, end.context_sample) == (start, context)


@pytest.mark.parametrize(("endpoint_ms", "has_context"), [(499, True), (500, False)])
def test_only_short_endpointing_gives_close_speech_context(
    endpoint_ms: int, has_context: bool
) -> None:
    endpointer = Endpointer(EndpointRules(endpoint_ms=endpoint_ms))
    (_, end) = ends(feed(endpointer, [(0, 100), (0.95, 40), (0, 17), (0.95, 20), (0, 17)]))
    assert (end.context_sample is not None) is has_context


@pytest.mark.parametrize(("gap_windows", "has_context"), [(12, True), (24, True), (25, False)])
def test_speech_that_follows_clear_speech_closely_has_it_as_context(
    gap_windows: int, has_context: bool
) -> None:
    endpointer = Endpointer(SHORT_ENDPOINT)
    feed(endpointer, [(0, 100), (0.95, 40), (0, gap_windows)])
    events = feed(endpointer, [(0.95, 20)])
    assert (endpointer.decoded_context_sample == 100 * W) is has_context
    events += feed(endpointer, [(0, 12)])
    (pause,) = [event for event in events if isinstance(event, Pause)]
    (end,) = ends(events)
    expected = 100 * W if has_context else None
    assert (pause.context_sample, end.context_sample, end.is_doubtful) == (
        expected,
        expected,
        False,
    )
    assert endpointer.decoded_context_sample is None


def test_the_context_of_close_speech_starts_with_a_whole_phrase() -> None:
    endpointer = Endpointer(SHORT_ENDPOINT)
    # Clear speech for 6 s, a pause inside the utterance, and a phrase.
    feed(endpointer, [(0, 20), (0.95, 190), (0, 8), (0.95, 30), (0, 12)])
    (end,) = ends(feed(endpointer, [(0.95, 20), (0, 12)]))
    assert end.context_sample == (20 + 190 + 8 - 5) * W


def test_close_speech_after_half_a_phrase_is_decoded_alone() -> None:
    endpointer = Endpointer(SHORT_ENDPOINT)
    feed(endpointer, [(0, 20), (0.95, 190), (0, 12)])
    (end,) = ends(feed(endpointer, [(0.95, 20), (0, 12)]))
    assert end.context_sample is None


def test_speech_that_continues_over_a_border_has_no_context() -> None:
    endpointer = Endpointer(RULES)
    assert len(ends(hear([(0.95, 30)], endpointer=endpointer))) == 1
    (end,) = ends(hear([(0.95, 30), (0, 20)], endpointer=endpointer))
    assert end.context_sample is None


def test_silence_needs_no_context_and_clear_speech_keeps_it_for_four_seconds() -> None:
    endpointer = Endpointer(SHORT_ENDPOINT)
    feed(endpointer, [(0, 300)])
    assert endpointer.context_sample == endpointer.needed_sample == 300 * W - LEAD
    feed(endpointer, [(0.95, 30), (0, 100)])
    assert endpointer.context_sample == 300 * W
    feed(endpointer, [(0, 100)])
    assert endpointer.context_sample == endpointer.needed_sample


@pytest.mark.parametrize(
    "sound",
    [[(0.9, 12)], [(0.6, 31)], [(0.6, 5), (0.95, 9)]],
    ids=["clear", "long", "clear in the end"],
)
def test_speech_that_is_clear_or_long_is_not_doubted(sound: Script) -> None:
    (end, _) = ends(hear([(0, 20), *sound, (0, 12), (0.9, 30), (0, 20)], SHORT_ENDPOINT))
    assert not end.is_doubtful


def test_weak_speech_that_continues_over_a_border_is_not_doubted() -> None:
    endpointer = Endpointer(SHORT_ENDPOINT)
    first = hear([(0.9, 30)], endpointer=endpointer)
    assert len(ends(first)) == 1
    (end,) = ends(hear([*WEAK, (0, 20)], endpointer=endpointer))
    assert not end.is_doubtful


def test_whether_the_open_utterance_is_doubtful_can_be_asked_while_it_is_open() -> None:
    endpointer = Endpointer(RULES)
    assert not endpointer.is_doubtful
    for probability, is_doubtful in ((0.6, True), (0.95, False)):
        for _ in range(6):
            endpointer.receive(np.zeros(W, np.int16), np.array([probability], np.float32))
        assert endpointer.is_doubtful is is_doubtful


def test_speech_after_a_pause_continues_in_the_same_utterance() -> None:
    happened = hear([(0.9, 30), (0, 10), (0.9, 20), (0, 40)])
    assert happened == [
        SpeechStart(0, 0),
        Pause(30 * W + TRAIL),
        Resumed(),
        Pause(60 * W + TRAIL),
        UtteranceEnd(0, 60 * W + TRAIL, 60 * W, is_cut=False),
    ]


def test_a_shorter_break_is_no_pause() -> None:
    happened = hear([(0.9, 30), (0, PAUSE_WINDOWS - 1), (0.9, 20)])
    assert [type(event) for event in happened] == [SpeechStart, UtteranceEnd]


@pytest.mark.parametrize("windows", [1, 2])
def test_a_click_is_not_an_utterance(windows: int) -> None:
    endpointer = Endpointer(RULES)
    assert hear([(0, 100), (0.9, windows), (0, 100)], endpointer=endpointer) == []
    assert not endpointer.is_open
    assert endpointer.needed_sample == (200 + windows) * W - LEAD


def test_the_shortest_speech_is_an_utterance() -> None:
    assert len(ends(hear([(0, 100), (0.9, 3), (0, 100)]))) == 1


@pytest.mark.parametrize("apart", [8, 31])
def test_a_sound_within_a_second_before_speech_belongs_to_it(apart: int) -> None:
    happened = hear([(0, 50), (0.9, 1), (0, apart), (0.9, 20)])
    assert happened[0] == SpeechStart(50 * W - LEAD, 50 * W)
    assert len(ends(happened)) == 1


def test_an_earlier_sound_does_not() -> None:
    (start, *_) = hear([(0, 50), (0.9, 1), (0, 32), (0.9, 20)])
    assert start == SpeechStart(83 * W - LEAD, 83 * W)


def test_speech_starts_at_one_threshold_and_ends_below_another() -> None:
    assert hear([(0, 50), (0.49, 50), (0, 50)]) == []
    (end,) = ends(hear([(0, 50), (0.51, 10), (0.36, 20), (0.34, 20), (0.49, 40)]))
    assert end.speech_end_sample == 80 * W


def test_a_long_murmur_that_hardly_passes_for_speech_is_nothing() -> None:
    assert hear([(0.51, 2), (0.4, 700)]) == []


def test_a_short_endpoint_shares_the_silence_with_what_follows() -> None:
    rules = EndpointRules(endpoint_ms=100)
    first, second = ends(hear([(0.9, 30), (0, 4), (0.9, 30), (0, 40)], rules))
    assert first == UtteranceEnd(0, 30 * W + 800, 30 * W, is_cut=False)
    assert second.start_sample == first.end_sample


def test_an_endpoint_before_the_pause_predicts_nothing() -> None:
    happened = hear([(0.9, 30), (0, 40)], EndpointRules(endpoint_ms=90))
    assert [type(event) for event in happened] == [SpeechStart, UtteranceEnd]


def test_another_endpoint_holds_from_the_next_utterance_on() -> None:
    endpointer = Endpointer(RULES)
    one = np.full(10, 0.9, np.float32)
    endpointer.receive(np.zeros(10 * W, np.int16), one)
    endpointer.configure(1_000)
    happened = hear([(0, 20), (0.9, 10), (0, 31), (0.9, 3), (0, 32)], endpointer=endpointer)
    first, second = ends(happened)
    assert first.speech_end_sample == 10 * W
    assert second.speech_end_sample == 74 * W
    with pytest.raises(ValueError, match="endpoint_ms is 0"):
        endpointer.configure(0)


def test_an_utterance_says_where_there_is_speech_in_it() -> None:
    happened = hear([(0, 100), (0.9, 30), (0, 8), (0.9, 10), (0, 100)])
    (end,) = ends(happened)
    assert end.voiced == ((100 * W, 130 * W), (138 * W, 148 * W))
    pauses = [event for event in happened if isinstance(event, Pause)]
    assert [pause.voiced for pause in pauses] == [end.voiced[:1], end.voiced]
    assert {pause.start_sample for pause in pauses} == {end.start_sample}
    first, second = ends(hear([(0.95, 600), (0.6, 3), (0.95, 300), (0.0, 30)]))
    assert (first.voiced, second.voiced) == (((0, 601 * W),), ((601 * W, 903 * W),))


@pytest.mark.parametrize("windows", [1, 3, 9])
def test_an_end_on_request_spares_the_onset_of_a_word(windows: int) -> None:
    endpointer = Endpointer(RULES)
    feed(endpointer, [(0, 20), (0.9, 30), (0.1, 4), (0.9, windows)])
    [ended, *started] = endpointer.finish(spares_onset=True)
    assert isinstance(ended, UtteranceEnd)
    assert ended.end_sample == 52 * W  # half of the pause
    assert not ended.is_unfinished
    starts = [*started, *feed(endpointer, [(0.9, 5)])]
    assert starts == [SpeechStart(52 * W, 54 * W)]


@pytest.mark.parametrize("windows", [3, 9])
@pytest.mark.parametrize("before", [[], [(0.9, 30), (0, 31)]])
def test_an_end_on_request_spares_a_word_that_has_just_begun_after_silence(
    before: Script, windows: int
) -> None:
    endpointer = Endpointer(RULES)
    feed(endpointer, [(0, 20), *before, (0.9, windows)])
    assert endpointer.is_open
    assert endpointer.finish(spares_onset=True) == []
    [ended] = ends(feed(endpointer, [(0.9, 5), (0, 31)]))
    assert ended.speech_end_sample - ended.voiced[0][0] == (windows + 5) * W


@pytest.mark.parametrize(
    "script",
    [
        [(0.9, 30), (0.1, 4), (0.9, 10)],  # a word that has lasted for longer
        [(0.9, 30), (0.1, 2), (0.9, 5)],  # a plosive, not a pause
        [(0.9, 2), (0.1, 4), (0.9, 5)],  # only a click was before it
        [(0.9, 30), (0.1, 4), (0.9, 5), (0.1, 1)],  # it is over
        [(0.9, 10)],  # the same, without speech before it
        [(0.9, 5), (0.1, 1)],
    ],
)
def test_an_end_on_request_includes_all_other_speech(script: Script) -> None:
    endpointer = Endpointer(RULES)
    feed(endpointer, [(0, 20), *script])
    [ended] = endpointer.finish(spares_onset=True)
    assert isinstance(ended, UtteranceEnd)
    assert ended.end_sample >= endpointer.received_sample - W
