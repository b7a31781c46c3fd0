import pytest

from auricle.values.types import SAMPLE_RATE_HZ
from bench.soak.live import ReceivedFinal, Stream, drifts

pytestmark = pytest.mark.unit

TURN = 10 * SAMPLE_RATE_HZ


def stream(*starts: int) -> Stream:
    told = [ReceivedFinal(0.0, 0.0, start, start + SAMPLE_RATE_HZ, False) for start in starts]
    return Stream(TURN, told)


def test_utterances_that_lie_where_they_lay_have_not_moved() -> None:
    found = stream(100, TURN + 160, TURN + 64_000, 2 * TURN + 160, 2 * TURN + 64_000)
    assert [offset for _, offset in drifts(found)] == [0, 0]


def test_a_clock_that_drifts_shows() -> None:
    found = stream(TURN + 160, *(turn * TURN + 160 + 3 * turn for turn in range(2, 6)))
    assert [offset for _, offset in drifts(found)] == [6, 9, 12, 15]


def test_an_utterance_that_was_not_there_before_is_not_compared() -> None:
    found = stream(TURN + 160, 2 * TURN + 160 + SAMPLE_RATE_HZ)
    assert not list(drifts(found))


def test_a_stream_of_one_turn_shows_nothing() -> None:
    assert not list(drifts(stream(160)))
