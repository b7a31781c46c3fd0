"""Arrivals and safe marks."""

import pytest

from auricle.session.ledger import Ledger, SafeMark

pytestmark = pytest.mark.unit

PACKET = 320
GRID = 2560
"""Packets of 320 and windows of 512 samples meet so often."""


def ledger_of(packets: int, start_sample: int = 0) -> Ledger:
    """Packets from 0, one each 20 ms from time 0 on."""
    ledger = Ledger(start_sample)
    for seq in range(packets):
        ledger.note(start_sample + (seq + 1) * PACKET, at=seq * 0.02, seq=seq)
    return ledger


def test_it_tells_when_the_audio_before_a_position_was_there() -> None:
    ledger = ledger_of(10)
    assert ledger.arrived_at(1) == 0.0
    assert ledger.arrived_at(PACKET) == 0.0
    assert ledger.arrived_at(PACKET + 1) == 0.02
    assert ledger.arrived_at(10 * PACKET) == pytest.approx(0.18)
    assert ledger.arrived_at(10 * PACKET + 1) is None


def test_a_mark_lies_where_packets_and_windows_begin() -> None:
    mark = ledger_of(40).settle(GRID * 3 + 700, not_before=0, first_window=0)
    assert mark == SafeMark(GRID * 3, seq=23)


def test_a_mark_goes_back_over_silence_but_not_into_speech_that_is_told() -> None:
    ledger = ledger_of(40)
    mark = ledger.settle(GRID * 3 + 700, not_before=GRID * 3 + 1, first_window=0)
    assert mark == SafeMark(GRID * 3 + 2 * PACKET, seq=25)


def test_windows_are_counted_from_where_they_start() -> None:
    ledger = ledger_of(40, start_sample=1000)
    mark = ledger.settle(1000 + GRID + 5, not_before=0, first_window=1000)
    assert mark == SafeMark(1000 + GRID, seq=7)


def test_a_mark_never_goes_back() -> None:
    ledger = ledger_of(40)
    first = ledger.settle(GRID * 2, not_before=0, first_window=0)
    assert ledger.settle(GRID, not_before=0, first_window=0) == first
    assert ledger.settle(GRID * 2 + 10, not_before=0, first_window=0) == first


def test_before_the_first_packet_is_over_nothing_is_safe() -> None:
    ledger = ledger_of(3, start_sample=500)
    assert ledger.settle(600, not_before=0, first_window=500) == SafeMark(500, None)


def test_without_numbers_a_mark_lies_where_a_window_begins() -> None:
    ledger = Ledger(100)
    ledger.note(5000, at=0.0)
    mark = ledger.settle(3000, not_before=0, first_window=100)
    assert mark == SafeMark(100 + 5 * 512)
    cut = ledger.settle(3001, not_before=3001, first_window=100)
    assert cut == SafeMark(3001)


def test_samples_one_by_one_are_few_entries() -> None:
    ledger = Ledger(0)
    for sample in range(1, 1001):
        ledger.note(sample, at=0.0)
    assert ledger.arrived_at(1000) == 0.0
    assert ledger.arrivals == 1


def test_what_is_safe_is_forgotten() -> None:
    ledger = ledger_of(100)
    ledger.settle(100 * PACKET, not_before=0, first_window=0)
    assert ledger.arrivals < 8
