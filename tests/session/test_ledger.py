"""Arrivals and safe marks."""

import pytest

from auricle.session.ledger import Ledger, SafeMark

pytestmark = pytest.mark.unit

PACKET = 320


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


def test_a_mark_lies_where_a_packet_ends() -> None:
    ledger = ledger_of(40)
    assert ledger.settle(25 * PACKET - 1) == SafeMark(24 * PACKET, seq=23)
    assert ledger.settle(25 * PACKET) == SafeMark(25 * PACKET, seq=24)


def test_a_mark_never_goes_back() -> None:
    ledger = ledger_of(40)
    first = ledger.settle(20 * PACKET)
    assert ledger.settle(10 * PACKET) == first
    assert ledger.settle(20 * PACKET + 10) == first


def test_before_the_first_packet_is_over_nothing_is_safe() -> None:
    assert ledger_of(3, start_sample=500).settle(600) == SafeMark(500, None)


def test_before_the_first_mark_there_is_no_other() -> None:
    ledger = Ledger(1000)
    for sample in range(100, 900, 100):
        ledger.note(sample, at=0.0, seq=sample // 100)
        assert ledger.settle(sample).sample == 1000
    ledger.note(1100, at=0.0, seq=11)
    assert ledger.settle(1100) == SafeMark(1100, 11)


def test_samples_without_numbers_have_no_borders() -> None:
    ledger = Ledger(100)
    ledger.note(5000, at=0.0)
    assert ledger.settle(3001) == SafeMark(3001)
    assert ledger.settle(5000) == SafeMark(5000)


def test_after_a_switch_from_packets_to_samples_marks_go_on() -> None:
    ledger = ledger_of(10)
    ledger.note(20 * PACKET, at=1.0)
    assert ledger.settle(9 * PACKET + 5).sample == 9 * PACKET
    assert ledger.settle(10 * PACKET + 5).sample == 10 * PACKET + 5


def test_the_silence_of_a_gap_is_told_before_its_last_packet_is_over() -> None:
    ledger = ledger_of(10)
    ledger.note(15 * PACKET, at=1.0)
    ledger.note(20 * PACKET, at=1.0, seq=19)
    assert ledger.settle(16 * PACKET) == SafeMark(15 * PACKET, 9)
    assert ledger.settle(20 * PACKET) == SafeMark(20 * PACKET, 19)


def test_samples_one_by_one_are_few_entries() -> None:
    ledger = Ledger(0)
    for sample in range(1, 1001):
        ledger.note(sample, at=0.0)
    assert ledger.arrived_at(1000) == 0.0
    assert ledger.arrivals == 1


def test_a_client_that_sends_slowly_and_sample_by_sample_costs_no_more_than_packets() -> None:
    ledger = Ledger(0)
    for sample in range(1, 3201):
        ledger.note(sample, at=float(sample))
    assert ledger.arrivals == 10
    assert ledger.arrived_at(1600) == 1600.0


def test_a_message_of_many_parts_is_one_arrival() -> None:
    ledger = Ledger(0)
    for sample in range(320, 32_000, 320):
        ledger.note(sample, at=7.0)
    assert ledger.arrivals == 1


def test_what_is_safe_is_forgotten() -> None:
    ledger = ledger_of(100)
    ledger.settle(100 * PACKET)
    assert ledger.arrivals == 0
