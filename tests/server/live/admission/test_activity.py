"""Which sessions count as speakers; time is a number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.server.live.admission.activity import (
    SILENT,
    SPEAKER_WEIGHT,
    SPEAKING,
    Activity,
    NewSession,
)
from auricle.values.types import ClientId

pytestmark = pytest.mark.unit

ALICE = ClientId("alice")
TICK_S = 0.5


def newcomer(newcomer: NewSession = SILENT, *, has_spoken: bool = False) -> Activity:
    return Activity(ALICE, 100.0, newcomer, has_spoken=has_spoken)


def observe(it: Activity, speaking: int, start: float, end: float) -> None:
    """Add a sample every half second, as the server does, from one time to another."""
    now = start
    while now < end - 0.01:
        now += TICK_S
        it.observe(speaking, now)


@pytest.mark.parametrize("kind", [SILENT, SPEAKING])
def test_a_silent_session_counts_while_it_may_still_be_about_to_speak(kind: NewSession) -> None:
    it = newcomer(kind)
    assert it.weight == kind.weight
    it.observe(0, 100 + kind.time_s - 0.1)
    assert it.weight == kind.weight
    it.observe(0, 100 + kind.time_s)
    assert it.weight == 0
    assert not it.has_spoken


def test_a_session_that_speaks_counts_as_a_speaker_within_seconds() -> None:
    it = newcomer()
    observe(it, 1, 100, 102)
    assert it.has_spoken
    assert it.weight > 0.9
    observe(it, 1, 102, 110)
    assert it.weight == 1


def test_pauses_between_sentences_are_bridged_and_a_listener_counts_no_more() -> None:
    it = newcomer()
    observe(it, 1, 100, 110)
    observe(it, 0, 110, 111.5)
    assert it.weight >= SPEAKER_WEIGHT
    observe(it, 0, 111.5, 122)
    assert it.weight == 0


def test_each_channel_counts() -> None:
    it = newcomer()
    observe(it, 2, 100, 120)
    assert it.weight == 2


def test_a_client_that_is_gone_counts_until_its_audio_is_finished() -> None:
    it = newcomer()
    observe(it, 1, 100, 110)
    it.observe(1, 110.5, is_abandoned=True)
    assert it.weight == 1
    it.observe(0, 111, is_abandoned=True)
    assert it.weight == 0


def test_a_session_that_has_spoken_before_is_no_newcomer() -> None:
    it = newcomer(SPEAKING, has_spoken=True)
    it.observe(0, 102)
    assert 0 < it.weight < SPEAKING.weight


def test_a_clock_that_goes_back_changes_nothing() -> None:
    it = newcomer()
    observe(it, 1, 100, 110)
    weight = it.weight
    it.observe(0, 90)
    assert it.weight == weight


@given(
    samples=st.lists(st.tuples(st.integers(0, 4), st.floats(-1, 30), st.booleans())),
    kind=st.sampled_from([SILENT, SPEAKING]),
    has_spoken=st.booleans(),
)
def test_no_session_counts_as_less_than_none_or_more_than_all_its_channels(
    samples: list[tuple[int, float, bool]], kind: NewSession, has_spoken: bool
) -> None:
    it, now, most = newcomer(kind, has_spoken=has_spoken), 100.0, kind.weight
    for speaking, passed_s, is_abandoned in samples:
        now, most = now + passed_s, max(most, speaking)
        it.observe(speaking, now, is_abandoned=is_abandoned)
        assert 0 <= it.weight <= most
