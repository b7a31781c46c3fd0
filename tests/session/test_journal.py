"""Finals until they are acknowledged."""

import pytest

from auricle.events import Final
from auricle.session.journal import MAX_FINALS, Journal

pytestmark = pytest.mark.unit


def final(number: int) -> Final:
    return Final(number, number, "text", 0, 1, "en", None, 0.0, False)


def journal_of(count: int) -> Journal:
    journal = Journal()
    for number in range(1, count + 1):
        assert journal.next_id == number
        journal.add(final(number))
    return journal


def ids(journal: Journal) -> list[int]:
    return [final.id for final in journal.finals]


def test_finals_stay_until_they_are_acknowledged() -> None:
    journal = journal_of(5)
    journal.acknowledge(3)
    assert ids(journal) == [4, 5]
    journal.acknowledge(1)
    assert ids(journal) == [4, 5]
    assert journal.next_id == 6


def test_numbers_that_were_never_given_acknowledge_everything_and_change_no_number() -> None:
    journal = journal_of(2)
    journal.acknowledge(2**53)
    assert ids(journal) == []
    journal.add(final(3))
    assert ids(journal) == [3]


def test_a_client_that_acknowledges_nothing_costs_a_bounded_number() -> None:
    journal = journal_of(MAX_FINALS + 7)
    assert ids(journal) == list(range(8, MAX_FINALS + 8))


def test_a_number_that_is_not_the_next_is_our_bug() -> None:
    journal = journal_of(2)
    with pytest.raises(ValueError, match="not number 3"):
        journal.add(final(2))
