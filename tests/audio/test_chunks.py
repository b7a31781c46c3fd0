from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.audio.chunks import ChunkCutter, CutRules
from auricle.audio.vad import SPEECH_THRESHOLD, WINDOW_SAMPLES, SpeechDetector
from auricle.values.types import MAX_JOB_SAMPLES, SAMPLE_RATE_HZ, Chunk, Pcm16
from tests.support.clips import CLIPS

pytestmark = pytest.mark.unit

W = WINDOW_SAMPLES
RULES = CutRules(
    target_samples=5 * SAMPLE_RATE_HZ,
    pre_roll_samples=4_800,
    post_roll_samples=3_200,
    merge_samples=SAMPLE_RATE_HZ,
)
Script = list[tuple[float, int]]
"""Probabilities of speech, each for a number of windows."""


def recording(samples: int) -> Pcm16:
    """Samples of which any few in a row identify their position."""
    return (np.arange(samples) * 7_919 % 30_011 - 15_000).astype(np.int16)


def probabilities(script: Script) -> list[float]:
    return [probability for probability, windows in script for _ in range(windows)]


def feed_all(
    cutter: ChunkCutter, pcm: Pcm16, likely: list[float], start: int = 0, step: int = 16_000
) -> list[Chunk]:
    """Feed what lies from ``start`` on, in chunks, each window as soon as it is complete."""
    chunks: list[Chunk] = []
    fed_windows = 0
    for at in range(start, pcm.size, step):
        end = min(at + step, pcm.size)
        windows = (end - start) // W
        now = np.array(likely[fed_windows:windows], np.float32)
        fed_windows += now.size
        chunks += cutter.feed(pcm[at:end], now)
    return chunks + cutter.finish()


def cut(script: Script, rules: CutRules = RULES, step: int = 16_000) -> list[tuple[int, int]]:
    """Return the chunks' spans; each must hold the recording's own samples."""
    likely = probabilities(script)
    pcm = recording(len(likely) * W)
    chunks = feed_all(ChunkCutter(rules), pcm, likely, step=step)
    for chunk in chunks:
        assert np.array_equal(chunk.pcm, pcm[chunk.start_sample :][: chunk.pcm.size])
        bounds = [bound for span in chunk.voiced for bound in span]
        assert bounds == sorted(bounds)
        assert chunk.start_sample <= bounds[0]
        assert bounds[-1] <= chunk.start_sample + chunk.pcm.size
    return spans(chunks)


def spans(chunks: list[Chunk]) -> list[tuple[int, int]]:
    return [(chunk.start_sample, chunk.start_sample + chunk.pcm.size) for chunk in chunks]


def test_silence_gives_no_chunks() -> None:
    assert cut([(0.1, 2_000)]) == []
    assert ChunkCutter(RULES).finish() == []


def test_speech_comes_with_pads_on_both_sides() -> None:
    assert cut([(0, 100), (0.9, 30), (0, 100)]) == [(100 * W - 4_800, 130 * W + 3_200)]


def test_pads_end_where_the_recording_does() -> None:
    assert cut([(0, 2), (0.9, 30), (0, 2)]) == [(0, 34 * W)]


def test_the_last_samples_may_be_less_than_a_window() -> None:
    pcm = recording(20 * W + 100)
    cutter = ChunkCutter(RULES)
    chunks = cutter.feed(pcm, np.full(20, 0.9, np.float32)) + cutter.finish()
    assert spans(chunks) == [(0, 20 * W + 100)]
    cutter = ChunkCutter(RULES)
    chunks = cutter.feed(pcm, np.full(21, 0.9, np.float32)) + cutter.finish()
    assert spans(chunks) == [(0, 20 * W + 100)]


def test_a_short_silence_joins_and_a_long_one_parts() -> None:
    merge = RULES.merge_samples // W  # 31 windows are just shorter than a second
    assert len(cut([(0, 50), (0.9, 20), (0, merge), (0.9, 20), (0, 50)])) == 1
    assert len(cut([(0, 50), (0.9, 20), (0, merge + 1), (0.9, 20), (0, 50)])) == 2


def test_a_silence_of_exactly_the_length_parts() -> None:
    rules = CutRules(merge_samples=30 * W)
    assert len(cut([(0.9, 20), (0, 29), (0.9, 20)], rules)) == 1
    assert len(cut([(0.9, 20), (0, 30), (0.9, 20)], rules)) == 2


def test_speech_of_exactly_the_target_is_cut() -> None:
    rules = CutRules(target_samples=100 * W)
    assert len(cut([(0.9, 99)], rules)) == 1
    assert len(cut([(0.9, 100)], rules)) == 2


@pytest.mark.parametrize("windows", [1, 2])
def test_a_click_is_not_a_chunk(windows: int) -> None:
    assert cut([(0, 100), (0.9, windows), (0, 100)]) == []


def test_the_shortest_speech_is_a_chunk() -> None:
    assert len(cut([(0, 100), (0.9, 3), (0, 100)])) == 1


def test_speech_starts_at_one_threshold_and_ends_below_another() -> None:
    assert cut([(0, 50), (0.49, 50), (0, 50)]) == []
    ((_, end),) = cut([(0, 50), (0.51, 10), (0.36, 20), (0.34, 20), (0.49, 40)])
    assert end == 80 * W + RULES.post_roll_samples


def test_long_speech_is_cut_at_its_dip_without_doubling_or_losing_a_sample() -> None:
    script = [(0.0, 20), (0.95, 130), (0.6, 3), (0.95, 60), (0.0, 60)]
    (first, second) = cut(script)
    assert first == (20 * W - 4_800, 151 * W)  # the middle of the dip
    assert second == (151 * W, 213 * W + 3_200)


def test_long_speech_without_a_dip_is_cut_within_the_last_third() -> None:
    chunks = cut([(0.9, 1_000)])
    assert chunks[0][0] == 0
    assert chunks[-1][1] == 1_000 * W
    for (_, end), (start, _) in pairwise(chunks):
        assert end == start
    for start, end in chunks[:-1]:
        assert RULES.target_samples * 2 / 3 - W <= end - start <= RULES.target_samples


def test_equally_likely_speech_is_cut_where_it_is_quietest() -> None:
    pcm = recording(200 * W)
    pcm[140 * W : 141 * W] = 3
    chunks = feed_all(ChunkCutter(RULES), pcm, [0.9] * 200)
    assert spans(chunks)[0] == (0, 140 * W)


def test_a_pause_in_the_middle_third_is_better_than_a_cut_in_a_word() -> None:
    first, second = cut([(0.95, 80), (0.02, 25), (0.95, 90), (0, 60)])
    assert first == (0, 80 * W + 3_200)
    assert second[0] == 105 * W - 4_800


def test_a_pause_shorter_than_two_pads_is_shared() -> None:
    first, second = cut([(0.95, 120), (0.02, 8), (0.95, 60), (0, 60)])
    assert first[1] == second[0]
    assert 120 * W < first[1] < 128 * W


def test_a_pause_of_eight_tenths_of_a_second_is_a_border_and_a_shorter_one_is_not() -> None:
    assert len(cut([(0.9, 20), (0, 24), (0.9, 20)], CutRules())) == 1
    assert len(cut([(0.9, 20), (0, 25), (0.9, 20)], CutRules())) == 2


@pytest.mark.parametrize(("silence", "starts_at"), [(60, 100), (70, 172)])
def test_a_sound_too_short_for_speech_belongs_to_speech_that_comes_soon(
    silence: int, starts_at: int
) -> None:
    script = [(0.0, 100), (0.9, 2), (0.0, silence), (0.9, 20), (0.0, 100)]
    ((start, _),) = cut(script, CutRules())
    assert start == starts_at * W - CutRules().pre_roll_samples


def test_a_chunk_reports_its_voiced_ranges() -> None:
    script = [(0.0, 50), (0.9, 10), (0.4, 5), (0.1, 10), (0.9, 20), (0.0, 50)]
    pcm = recording(len(probabilities(script)) * W)
    (chunk,) = feed_all(ChunkCutter(RULES), pcm, probabilities(script))
    assert chunk.voiced == ((49 * W, 65 * W), (74 * W, 95 * W))


def test_probabilities_of_samples_that_were_not_fed_are_refused() -> None:
    cutter = ChunkCutter(RULES)
    cutter.feed(recording(513), np.zeros(2, np.float32))
    with pytest.raises(ValueError, match="not fed"):
        cutter.feed(recording(0), np.zeros(1, np.float32))


def test_rules_at_their_limits_are_kept() -> None:
    CutRules(target_samples=MAX_JOB_SAMPLES - 3_200, post_roll_samples=3_200)
    CutRules(target_samples=SAMPLE_RATE_HZ, pre_roll_samples=5_000, post_roll_samples=3_000)
    CutRules(merge_samples=4_800)


@pytest.mark.parametrize(
    "rules",
    [
        {"target_samples": MAX_JOB_SAMPLES - 4_799},
        {"target_samples": 15_999},
        {"merge_samples": 4_799},
        {"pre_roll_samples": -1},
        {"post_roll_samples": -1},
        {"target_samples": SAMPLE_RATE_HZ, "post_roll_samples": 3_000, "pre_roll_samples": 5_001},
    ],
)
def test_rules_that_can_not_be_kept_are_refused(rules: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"."):
        CutRules(**rules)


SCRIPTS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.3, 0.4, 0.5, 0.7, 0.99]), st.integers(1, 120)),
    min_size=1,
    max_size=25,
)
MANY_RULES = st.sampled_from(
    [
        RULES,
        CutRules(),
        CutRules(
            target_samples=20_000, pre_roll_samples=0, post_roll_samples=0, merge_samples=2_000
        ),
        CutRules(
            target_samples=16_000,
            pre_roll_samples=4_000,
            post_roll_samples=4_000,
            merge_samples=8_000,
        ),
    ]
)


@given(script=SCRIPTS, rules=MANY_RULES, step=st.integers(200, 60_000))
def test_chunks_are_ordered_never_too_long_and_hold_all_speech_but_clicks(
    script: Script, rules: CutRules, step: int
) -> None:
    chunks = cut(script, rules, step)
    assert chunks == cut(script, rules, step=10**9)
    ends = [0, *(end for _, end in chunks)]
    assert all(end <= start for end, (start, _) in zip(ends, chunks, strict=False))
    assert all(start < end <= start + MAX_JOB_SAMPLES for start, end in chunks)
    assert all(
        end - start <= rules.target_samples + rules.post_roll_samples for start, end in chunks
    )
    covered = np.zeros(len(probabilities(script)), bool)
    for start, end in chunks:
        covered[-(-start // W) : end // W] = True
    lost = np.flatnonzero((np.array(probabilities(script)) >= SPEECH_THRESHOLD) & ~covered)
    # Only what is shorter than the shortest speech may go, and then a silence lies around it.
    for run in np.split(lost, np.flatnonzero(np.diff(lost) > 1) + 1):
        assert run.size <= 2


@given(script=SCRIPTS, rules=MANY_RULES, data=st.data())
def test_after_a_crash_a_new_cutter_continues_without_doubling_or_losing(
    script: Script, rules: CutRules, data: st.DataObject
) -> None:
    likely = probabilities(script)
    pcm = recording(len(likely) * W)
    crash = data.draw(st.integers(0, len(likely)))
    lost = ChunkCutter(rules)
    before = lost.feed(pcm[: crash * W], np.array(likely[:crash], np.float32))
    stored_count = data.draw(st.integers(0, len(before)))
    next_sample = lost.next_sample if stored_count == len(before) else 0
    if 0 < stored_count < len(before):
        next_sample = spans(before)[stored_count - 1][1]
    assert stored_count == 0 or next_sample >= spans(before)[stored_count - 1][1]
    # The new cutter's windows lie on another grid: give it the likelihood at their middles.
    windows = (pcm.size - next_sample) // W
    shifted = [
        likely[min((next_sample + at * W + W // 2) // W, len(likely) - 1)] for at in range(windows)
    ]
    after = feed_all(ChunkCutter(rules, next_sample), pcm, shifted, next_sample)
    chunks = before[:stored_count] + after
    for chunk in chunks:
        assert np.array_equal(chunk.pcm, pcm[chunk.start_sample :][: chunk.pcm.size])
    for (_, end), (start, _) in pairwise(spans(chunks)):
        assert end <= start
    whole = np.zeros(pcm.size, bool)
    for start, end in spans(feed_all(ChunkCutter(rules), pcm, likely)):
        whole[start:end] = True
    for start, end in spans(chunks):
        whole[start:end] = False
    spoken = np.repeat(np.array(likely) >= SPEECH_THRESHOLD, W)
    # One window at each change, for the other grid; a click may fall on either side of the line.
    assert np.count_nonzero(whole & spoken) <= 4 * W


@settings(max_examples=30)
@given(script=SCRIPTS)
def test_no_more_than_one_chunk_is_held(script: Script) -> None:
    likely = probabilities(script)
    cutter = ChunkCutter(RULES)
    for at, probability in enumerate(likely):
        cutter.feed(recording(W), np.array([probability], np.float32))
        assert (at + 1) * W - cutter.next_sample <= RULES.target_samples


def test_real_speech_loses_nothing_at_its_edges() -> None:
    pcm = CLIPS["pair.wav"].pcm
    detector = SpeechDetector()
    cutter = ChunkCutter(CutRules(merge_samples=16_000))
    chunks = cutter.feed(pcm, detector.probabilities(pcm))
    chunks += cutter.feed(pcm[:0], detector.finish()) + cutter.finish()
    assert len(chunks) == 2
    left_out = pcm.astype(float).copy()
    for start, end in spans(chunks):
        left_out[start:end] = 0
    loudness = np.sqrt(
        np.mean(left_out[: left_out.size // 320 * 320].reshape(-1, 320) ** 2, axis=1)
    )
    assert loudness.max() < 100  # the speech itself is at some thousands


def test_an_engine_with_a_short_window_gets_short_chunks() -> None:
    rules = CutRules().within(5 * SAMPLE_RATE_HZ)
    assert rules.target_samples + rules.post_roll_samples == 5 * SAMPLE_RATE_HZ
    assert CutRules().within(MAX_JOB_SAMPLES) == CutRules()
