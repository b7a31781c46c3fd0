import pytest

from research.capacity.costs import Costs, Line
from research.capacity.model import ENDPOINT_S, REST_S
from research.capacity.simulation import PATIENT_S, PLAY_S, Site, simulate

pytestmark = pytest.mark.unit


def test_the_same_seed_gives_the_same_figures() -> None:
    site = Site(machines=2)
    assert simulate(12, site, seed=3) == simulate(12, site, seed=3)
    assert simulate(12, site, seed=3) != simulate(12, site, seed=4)


def test_every_utterance_has_its_final_even_with_too_many() -> None:
    for streams in (1, 60, 150):
        outcome = simulate(streams, Site())
        assert outcome.finals == pytest.approx(streams * PLAY_S / 8.55, rel=0.35)


def test_a_single_speaker_waits_for_the_pause_and_hardly_longer() -> None:
    outcome = simulate(1, Site())
    assert outcome.p50_s == pytest.approx(ENDPOINT_S + REST_S, abs=0.1)
    assert outcome.partials_per_s > 0.7


def test_more_sessions_delay_finals_and_reduce_partials() -> None:
    outcomes = [simulate(streams, Site()) for streams in (2, 12, 32, 60)]
    for name, is_rising in (("p95_s", True), ("busy", True), ("partials_per_s", False)):
        figures = [getattr(one, name) for one in outcomes]
        assert figures == sorted(figures, reverse=not is_rising), name


def test_work_that_never_ends_is_late_by_the_longest_wait() -> None:
    for_ever = Line(100.0, 5.0)
    outcome = simulate(4, Site(costs=Costs(for_ever, for_ever)))
    assert outcome.p95_s == PATIENT_S


def test_twice_the_machines_serve_twice_the_streams_no_later() -> None:
    one, two = simulate(32, Site()), simulate(64, Site(machines=2))
    assert two.p95_s <= one.p95_s + 0.15
    assert two.busy == pytest.approx(one.busy, abs=0.05)


def test_a_gateway_on_the_same_machine_makes_its_recognisers_slower() -> None:
    apart, together = simulate(40, Site()), simulate(40, Site(gateway_cores=0.02))
    assert together.p50_s > apart.p50_s
    assert simulate(40, Site(hop_s=0.5)).p50_s == pytest.approx(apart.p50_s + 0.5, abs=0.01)


def test_no_more_is_worked_than_there_are_workers() -> None:
    site = Site(machines=3, workers=4)
    assert simulate(300, site).busy <= 1.01
