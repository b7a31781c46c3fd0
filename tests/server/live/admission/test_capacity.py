"""What is learned from finals that are late or on time; time is a number."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.server.live.admission.capacity import (
    EASY_LAG_S,
    FALL,
    KNOWN_FALL,
    LATE_S,
    MAX_FALL,
    MIN_FIXED_SPEAKERS,
    MIN_SPEAKERS,
    RETURN_STEPS,
    RISE,
    SEVERAL,
    STEP_S,
    Sample,
    SpeakerCapacity,
)

pytestmark = pytest.mark.unit

FULL = Sample(10.0, pending_s=(0.5,) * 3, expected_s=0.5, is_busy=True)
LATE = replace(FULL, pending_s=(LATE_S + 1,) * 3)


def learned(capacity: SpeakerCapacity, *samples: Sample) -> float:
    """Observe one sample per step."""
    for step, sample in enumerate(samples):
        capacity.observe(sample, 100 + step * STEP_S)
    return capacity.speakers


def test_the_lag_is_the_mean_age_of_finals_or_the_expected_wait() -> None:
    assert Sample(1.0).lag_s == 0.0
    assert Sample(1.0, expected_s=0.2).lag_s == 0.2
    assert Sample(1.0, pending_s=(1.0, 2.0), expected_s=0.2).lag_s == 1.5
    assert Sample(1.0, pending_s=(LATE_S, LATE_S + 0.1)).overdue == 1


def test_a_tenth_of_the_finals_may_be_late_and_the_limits_themselves_are_on_time() -> None:
    it = SpeakerCapacity(20)
    late = Sample(20.0, pending_s=(LATE_S + 1,) * 2, expected_s=LATE_S, is_busy=True)
    it.observe(late, 100)
    assert not it.is_late
    it.observe(replace(late, pending_s=(LATE_S + 1,) * 3), 100 + STEP_S)
    assert it.is_late


def test_it_rises_up_to_the_limit_of_the_lag_and_only_if_less_than_one_place_is_free() -> None:
    easy = Sample(9.5, pending_s=(EASY_LAG_S,), is_busy=True)
    assert learned(SpeakerCapacity(10), easy) == 10 + RISE
    assert learned(SpeakerCapacity(10), replace(easy, speakers=10 - RISE)) == 10


def test_the_first_sample_can_be_late() -> None:
    late = Sample(9.0, pending_s=(LATE_S + 0.5,) * SEVERAL + (0.0,) * 9, is_busy=True)
    assert learned(SpeakerCapacity(9), late) < 9


def test_the_first_estimate_is_none_that_was_learned() -> None:
    it = SpeakerCapacity(16)
    assert (it.speakers, it.is_learned, it.is_late) == (16, False, False)
    assert SpeakerCapacity(16, is_learned=True).is_learned
    assert SpeakerCapacity(0.2).speakers == MIN_SPEAKERS
    assert SpeakerCapacity(0.2, is_fixed=True).speakers == MIN_FIXED_SPEAKERS


def test_it_rises_while_it_is_used_up_and_captions_are_on_time() -> None:
    it = SpeakerCapacity(10.5)
    assert learned(it, FULL, FULL, FULL) == 10.5 + RISE
    assert it.is_learned


def test_it_rises_no_further_once_finals_take_longer() -> None:
    it = SpeakerCapacity(10.5)
    slow = replace(FULL, pending_s=(EASY_LAG_S + 0.1,) * 3)
    assert learned(it, slow, slow, slow) == 10.5
    assert not it.is_late


def test_it_stays_while_it_is_not_used_up() -> None:
    it = SpeakerCapacity(16)
    assert learned(it, FULL, FULL, FULL) == 16
    assert not it.is_learned


def test_it_falls_below_the_speakers_while_finals_are_late() -> None:
    it = SpeakerCapacity(12)
    assert learned(it, LATE) == FALL * 10
    assert it.is_late
    assert it.is_learned
    assert learned(SpeakerCapacity(8), LATE) == FALL * 8
    assert learned(SpeakerCapacity(1), *[LATE] * 50) == MIN_SPEAKERS


def test_it_falls_while_the_queue_alone_makes_finals_late() -> None:
    it = SpeakerCapacity(12)
    assert learned(it, replace(FULL, expected_s=LATE_S + 1)) == FALL * 10


def test_a_backlog_that_shrinks_is_not_counted_twice() -> None:
    it = SpeakerCapacity(12)
    shrinking = [replace(LATE, pending_s=(LATE_S + rest,) * 3) for rest in (4.0, 3.0, 2.0)]
    assert learned(it, *shrinking) == FALL * 10
    assert it.is_late


def test_it_changes_once_per_step_but_knows_at_once_whether_finals_are_late() -> None:
    it = SpeakerCapacity(12)
    it.observe(FULL, 100)
    it.observe(LATE, 100.5)
    assert (it.is_late, it.speakers) == (True, 12)
    it.observe(FULL, 101)
    assert not it.is_late
    it.observe(LATE, 102)
    assert it.speakers == FALL * 10


def test_few_speakers_with_late_finals_take_a_quarter_at_most() -> None:
    few = replace(LATE, speakers=3.0)
    assert learned(SpeakerCapacity(32), few) == MAX_FALL * 32
    assert learned(SpeakerCapacity(32), *[few] * 20) == MIN_SPEAKERS


@pytest.mark.parametrize("sessions", range(1, SEVERAL))
def test_late_finals_of_one_or_two_sessions_show_no_overload(sessions: int) -> None:
    it = SpeakerCapacity(12)
    slow = Sample(float(sessions), (LATE_S + 9,) * sessions, expected_s=LATE_S + 1, is_busy=True)
    assert learned(it, *[slow] * 50) == 12
    assert (it.is_late, it.is_learned) == (False, False)


def test_other_work_that_makes_finals_late_says_nothing_of_the_speakers() -> None:
    it = SpeakerCapacity(32)
    uploads = replace(LATE, pending_s=(LATE_S + 1,) * 9, is_live=False)
    assert learned(it, *[uploads] * 9) == 32
    assert (it.is_late, it.is_learned) == (True, False)


def test_a_short_overload_is_forgotten_within_a_minute() -> None:
    it = SpeakerCapacity(24)
    low = learned(it, *[LATE] * 3)
    for step in range(RETURN_STEPS):
        it.observe(Sample(0.0), 200 + step * STEP_S)
    assert low < 0.5 * 24
    assert it.speakers == pytest.approx(24 * KNOWN_FALL**3)
    assert RETURN_STEPS * STEP_S <= 60


def test_the_estimate_does_not_return_while_finals_take_longer() -> None:
    it = SpeakerCapacity(24)
    low = learned(it, LATE)
    it.observe(Sample(1.0, pending_s=(EASY_LAG_S + 0.1,)), 200)
    assert it.speakers == low


def test_a_long_overload_is_remembered() -> None:
    it = SpeakerCapacity(24)
    learned(it, *[LATE] * 200)
    assert it.known == it.speakers == MIN_SPEAKERS


def test_one_slow_final_of_many_speakers_shows_no_overload() -> None:
    it = SpeakerCapacity(40)
    assert learned(it, Sample(30, pending_s=(0.5, LATE_S + 1), is_busy=True)) == 40
    assert not it.is_late


def test_finals_that_are_late_while_a_worker_is_idle_say_nothing_of_the_load() -> None:
    it = SpeakerCapacity(16)
    assert learned(it, replace(LATE, is_busy=False)) == 16
    assert not it.is_late


@pytest.mark.parametrize("sample", [LATE, FULL])
def test_nothing_is_concluded_while_a_worker_is_missing(sample: Sample) -> None:
    it = SpeakerCapacity(10)
    assert learned(it, *[replace(sample, is_whole=False)] * 3) == 10
    assert it.is_late is (sample is LATE)
    assert not it.is_learned


def test_it_follows_a_machine_that_becomes_slower_and_faster() -> None:
    """Simulate a machine whose finals take longer the more of what it holds is used."""
    it, now = SpeakerCapacity(16), 0.0
    for holds in (30, 12, 24):
        for _ in range(100):
            now += STEP_S
            speakers = it.speakers  # all places are taken at once
            longest_s = 2 * EASY_LAG_S * (speakers / holds) ** 4
            ages_s = tuple(longest_s * (n + 0.5) / int(speakers) for n in range(int(speakers)))
            it.observe(Sample(speakers, ages_s, is_busy=True), now)
        assert 0.9 * holds <= it.speakers <= 1.1 * holds + RISE


samples = st.builds(
    Sample,
    speakers=st.floats(0, 100),
    pending_s=st.lists(st.floats(0, 100), max_size=20).map(tuple),
    expected_s=st.floats(0, 30),
    is_busy=st.booleans(),
    is_whole=st.booleans(),
    is_live=st.booleans(),
)


@given(
    first=st.floats(-5, 100),
    steps=st.lists(st.tuples(samples, st.floats(0, 10)), max_size=50),
    is_fixed=st.booleans(),
)
def test_it_holds_at_least_a_few_and_falls_only_while_finals_are_late(
    first: float, steps: list[tuple[Sample, float]], is_fixed: bool
) -> None:
    it, now = SpeakerCapacity(first, is_fixed=is_fixed), 0.0
    for sample, passed_s in steps:
        before, now = it.speakers, now + passed_s
        it.observe(sample, now)
        assert it.minimum <= it.speakers <= it.known
        assert it.speakers <= before + max(RISE, it.known / RETURN_STEPS)
        if it.speakers < before:
            assert it.is_late
            assert sample.is_busy
            assert sample.is_live
            assert it.speakers >= MAX_FALL * before
            assert len(sample.pending_s) >= SEVERAL
            assert sample.overdue >= SEVERAL or sample.expected_s > LATE_S
        if it.speakers > before:
            assert not it.is_late
        if is_fixed:
            assert (it.speakers, it.is_late) == (max(MIN_FIXED_SPEAKERS, first), False)
