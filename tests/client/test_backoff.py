"""Reconnection delays."""

import itertools

import pytest

from auricle.client.backoff import Backoff, ClientRules

pytestmark = pytest.mark.unit

RULES = ClientRules(first_delay_s=1.0, max_delay_s=8.0)


def delays(backoff: Backoff, number: int) -> list[float | None]:
    return [backoff.next_delay_s(0.0, 900.0) for _ in range(number)]


def test_each_wait_is_twice_as_long_as_the_one_before_up_to_the_longest() -> None:
    assert delays(Backoff(RULES, random_fraction=lambda: 1.0), 6) == [1, 2, 4, 8, 8, 8]


def test_chance_takes_up_to_half_of_it_away() -> None:
    assert delays(Backoff(RULES, random_fraction=lambda: 0.0), 5) == [0.5, 1, 2, 4, 4]


def test_clients_that_are_cut_off_together_reconnect_at_different_times() -> None:
    chances = itertools.cycle([0.1, 0.7])
    first, second = (Backoff(RULES, random_fraction=lambda: next(chances)) for _ in range(2))
    assert first.next_delay_s(0.0, 900.0) != second.next_delay_s(0.0, 900.0)


def test_real_work_makes_it_quick_again() -> None:
    backoff = Backoff(RULES, random_fraction=lambda: 1.0)
    delays(backoff, 5)
    backoff.worked()
    assert delays(backoff, 2) == [1, 2]


def test_what_the_server_asks_for_comes_on_top() -> None:
    backoff = Backoff(RULES, random_fraction=lambda: 1.0)
    assert backoff.next_delay_s(0.0, 900.0, retry_after_s=5.0) == 6.0


def test_a_failure_may_have_a_shorter_limit() -> None:
    backoff = Backoff(RULES, random_fraction=lambda: 1.0)
    delays(backoff, 5)
    assert backoff.next_delay_s(0.0, 900.0, max_delay_s=2.0) == 2.0


def test_patience_counts_from_the_first_failure_in_a_row() -> None:
    backoff = Backoff(RULES, random_fraction=lambda: 1.0)
    assert backoff.next_delay_s(100.0, 10.0) == 1.0
    assert backoff.next_delay_s(107.0, 10.0) == 2.0
    assert backoff.next_delay_s(107.0, 10.0) is None
    backoff.worked()
    assert backoff.next_delay_s(200.0, 10.0) == 1.0


def test_a_wait_that_would_outlast_the_patience_is_not_begun() -> None:
    assert Backoff(RULES, random_fraction=lambda: 1.0).next_delay_s(0.0, 0.9) is None
    assert Backoff(RULES, random_fraction=lambda: 1.0).next_delay_s(0.0, 1.0) == 1.0


def test_years_of_failures_are_no_number_too_large() -> None:
    backoff = Backoff(RULES, random_fraction=lambda: 1.0)
    delays(backoff, 2000)
    assert delays(backoff, 1) == [8.0]
