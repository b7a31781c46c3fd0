"""Unacknowledged finals."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.session.journal import MAX_FINALS, Journal
from auricle.values.events import Final

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


def test_an_unacknowledged_final_is_replaced_by_its_number() -> None:
    journal = journal_of(3)
    journal.acknowledge(1)
    for number in (1, 2):
        journal.replace(replace(final(number), speaker=1))
    assert [(each.id, each.speaker) for each in journal.finals] == [(2, 1), (3, None)]


def test_a_number_that_is_not_the_next_is_our_bug() -> None:
    journal = journal_of(2)
    with pytest.raises(ValueError, match="expected 3"):
        journal.add(final(2))


@given(
    st.lists(
        st.one_of(
            st.just("final"),
            st.tuples(st.just("ack"), st.integers(0, 500)),
            st.just("many finals"),
        ),
        max_size=40,
    )
)
def test_unacknowledged_finals_are_replayed_once_and_in_order(
    steps: list[str | tuple[str, int]],
) -> None:
    journal, told, acknowledged = Journal(), 0, 0
    for step in steps:
        if isinstance(step, tuple):
            journal.acknowledge(step[1])
            acknowledged = max(acknowledged, min(step[1], told))
        else:
            for _ in range(150 if step == "many finals" else 1):
                told += 1
                journal.add(final(told))
        oldest = max(acknowledged, told - MAX_FINALS)
        assert ids(journal) == list(range(oldest + 1, told + 1))
        assert journal.next_id == told + 1
