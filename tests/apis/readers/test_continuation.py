"""The events of a speaker who has returned, after those that readers have."""

from dataclasses import replace

import pytest

from auricle.apis.readers.continuation import Continuation
from auricle.apis.readers.wire.events import Readable
from auricle.values.events import (
    Final,
    FinalSpeakers,
    Partial,
    SpeakerRevision,
    SpeechEnded,
    SpeechStarted,
)
from auricle.values.types import SAMPLE_RATE_HZ

pytestmark = pytest.mark.unit


def final(number: int, at_s: float, channel: int | None = None) -> Final:
    """Return a final of two seconds."""
    at = int(at_s * SAMPLE_RATE_HZ)
    end = at + 2 * SAMPLE_RATE_HZ
    return Final(number, number, f"at {at_s}", at, end, "en", None, 0.0, False, channel=channel)


def partial(utterance: int, at_s: float) -> Partial:
    at = int(at_s * SAMPLE_RATE_HZ)
    return Partial(utterance, "so", "", at, at + SAMPLE_RATE_HZ)


def test_the_first_session_is_unchanged() -> None:
    it = Continuation()
    events: list[Readable] = [
        SpeechStarted(0),
        partial(1, 0),
        final(1, 0),
        SpeechEnded(SAMPLE_RATE_HZ),
    ]
    assert [it.continued(event) for event in events] == events


def test_numbers_continue() -> None:
    it = Continuation([final(1, 0), replace(final(2, 3), utterance=4)])
    assert it.continued(partial(1, 6)) == partial(5, 6)
    assert it.continued(final(1, 6)) == replace(final(3, 6), utterance=5)
    assert it.continued(final(2, 9)) == replace(final(4, 9), utterance=6)
    [revised] = [FinalSpeakers(1, 0, ())]
    assert it.continued(SpeakerRevision((revised,))) == SpeakerRevision((replace(revised, id=3),))


@pytest.mark.parametrize("moved_s", [-0.3, 0.0, 0.3])
def test_what_readers_have_is_not_repeated(moved_s: float) -> None:
    it = Continuation([final(1, 0), final(2, 3), final(3, 6)])
    assert it.continued(SpeechStarted(3 * SAMPLE_RATE_HZ)) is None
    assert it.continued(partial(1, 3 + moved_s)) is None
    assert it.continued(final(1, 3 + moved_s)) is None
    assert it.continued(final(2, 6 + moved_s)) is None
    assert it.continued(partial(3, 9)) == partial(4, 9)
    assert it.continued(final(3, 9)) == final(4, 9)
    assert it.continued(SpeakerRevision((FinalSpeakers(2, 0, ()),))) is None


def test_each_channel_has_its_own_position() -> None:
    it = Continuation([final(1, 0, channel=0), final(2, 3, channel=1)])
    assert it.continued(final(1, 2, channel=0)) == final(3, 2, channel=0)
    assert it.continued(final(2, 3, channel=1)) is None
