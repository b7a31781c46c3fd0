import math

import pytest

from research.capacity.costs import Costs, Line, Talk
from research.capacity.model import LATE_P95_S, erlang_c, knee, predict

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("servers", "offered", "chance"),
    [
        (1, 0.5, 0.5),  # M/M/1: who comes waits as often as the server is busy
        (2, 1.0, 1 / 3),
        (10, 8.0, 0.40918),  # of tables of Erlang's C
        (2, 0.0, 0.0),
    ],
)
def test_the_chance_to_wait_is_erlangs(servers: int, offered: float, chance: float) -> None:
    assert erlang_c(servers, offered) == pytest.approx(chance, abs=1e-4)


def test_a_batch_of_one_and_a_full_one_cost_what_was_measured() -> None:
    costs = Costs(Line(0.02, 5), Line(0.01, 10), side_by_side=1)
    assert costs.batch_s([5.0]) == pytest.approx(0.2)
    assert costs.batch_s([5.0] * 8) == pytest.approx(8 * 0.15)


def test_in_a_larger_batch_each_job_costs_less() -> None:
    each = [Costs().job_s(jobs, 6.0) for jobs in range(1, 9)]
    assert each == sorted(each, reverse=True)
    assert Costs().batch_s([2.0, 10.0]) == pytest.approx(Costs().batch_s([6.0, 6.0]))


def test_more_streams_are_served_later_and_too_many_never() -> None:
    late_s = [predict(streams, 2).p95_s for streams in (1, 8, 24, 48)]
    assert late_s == sorted(late_s)
    assert all(one.p50_s <= one.p95_s for one in (predict(n, 2) for n in range(1, 60)))
    too_many = predict(200, 2)
    assert too_many.busy > 1
    assert too_many.p95_s == math.inf


def test_at_the_knee_captions_are_just_in_time() -> None:
    streams = knee(2)
    assert predict(streams, 2).p95_s <= LATE_P95_S < predict(streams + 1, 2).p95_s


def test_workers_together_take_more_than_each_for_itself() -> None:
    """One queue for all: a final waits only when every worker is busy."""
    assert knee(8) > 4 * knee(2)


def test_a_speaker_ends_as_many_utterances_as_there_are_pauses() -> None:
    talk = Talk(utterance_s=9, pause_s=(0.5, 1.5))
    assert talk.finals_per_s == pytest.approx(0.1)
