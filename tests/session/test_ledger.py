"""Arrivals and safe marks."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from auricle.session.ledger import MERGE_S, MERGE_SAMPLES, Ledger, SafeMark

pytestmark = pytest.mark.unit

PACKET = 320


def ledger_of(packets: int, start_sample: int = 0) -> Ledger:
    """Packets from 0, one every 20 ms from time 0 on."""
    ledger = Ledger(start_sample)
    for seq in range(packets):
        ledger.note(start_sample + (seq + 1) * PACKET, at=seq * 0.02, seq=seq)
    return ledger


def test_it_reports_when_the_audio_before_a_position_was_there() -> None:
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


def test_after_a_switch_from_packets_to_samples_marks_continue() -> None:
    ledger = ledger_of(10)
    ledger.note(20 * PACKET, at=1.0)
    assert ledger.settle(9 * PACKET + 5).sample == 9 * PACKET
    assert ledger.settle(10 * PACKET + 5).sample == 10 * PACKET + 5


def test_the_silence_of_a_gap_is_reported_before_its_last_packet_is_over() -> None:
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


def test_what_comes_five_milliseconds_later_is_another_arrival() -> None:
    ledger = Ledger(0)
    ledger.note(1000, at=0.0)
    ledger.note(2000, at=0.004)
    assert ledger.arrivals == 1
    ledger.note(3000, at=MERGE_S)
    assert ledger.arrivals == 2
    assert (ledger.arrived_at(2000), ledger.arrived_at(2001)) == (0.0, MERGE_S)


def test_what_is_safe_is_forgotten() -> None:
    ledger = ledger_of(100)
    ledger.settle(100 * PACKET)
    assert ledger.arrivals == 0


class Arrivals(RuleBasedStateMachine):
    """Compare with a list of all arrivals, from which nothing is dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.end, self.seq = 0.0, 0, 0
        self.all: list[tuple[int, float, int | None]] = []  # end, at, seq
        self.needed = 0

    @initialize(start=st.integers(0, 5000))
    def begin(self, start: int) -> None:
        self.ledger = Ledger(start)
        self.start = self.end = self.needed = start
        self.mark = SafeMark(start)

    @rule(samples=st.sampled_from([1, 100, 319, 320, 321, 960, 5000]), is_numbered=st.booleans())
    def arrive(self, samples: int, is_numbered: bool) -> None:
        self.end += samples
        seq = self.seq if is_numbered else None
        self.seq += is_numbered
        self.ledger.note(self.end, self.now, seq)
        self.all.append((self.end, self.now, seq))

    @rule(seconds=st.sampled_from([0.001, 0.0049, 0.02, 1.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(part=st.floats(0, 1))
    def settle(self, part: float) -> None:
        """The needed position advances up to the audio that has arrived."""
        self.needed += round(part * (self.end - self.needed))
        mark = self.ledger.settle(self.needed)
        assert self.mark.sample <= mark.sample <= self.needed  # monotonic and within the limit
        numbered = [(end, seq) for end, _, seq in self.all if seq is not None]
        gone = [seq for end, seq in numbered if end <= self.needed]
        assert mark.seq == (gone[-1] if gone else None)  # the audio to resend starts at the mark
        following = next((a for a in self.all if a[0] > self.needed), None)
        if following is not None and following[2] is None:
            assert mark.sample == self.needed
        elif gone:
            assert mark.sample >= max(end for end, seq in numbered if end <= self.needed)
        self.mark = mark

    @invariant()
    def it_knows_when_audio_was_there(self) -> None:
        if not self.all or self.end <= self.needed:
            return
        for sample in {self.needed + 1, (self.needed + self.end) // 2 + 1, self.end}:
            if not self.needed < sample <= self.end:
                continue
            at = self.ledger.arrived_at(sample)
            truth = next(at for end, at, _ in self.all if end >= sample)
            later = [at for end, at, _ in self.all if end <= sample + MERGE_SAMPLES]
            assert at is not None
            assert truth - 0.005 < at <= max([truth, *later])
        assert self.ledger.arrived_at(self.end + 1) is None

    @invariant()
    def it_holds_little(self) -> None:
        """Audio without numbers uses at most one entry per 20 ms of audio and per 5 ms of time."""
        kept = [(end, at, seq) for end, at, seq in self.all if end > self.needed]
        numbered = sum(seq is not None for _, _, seq in kept)
        assert self.ledger.arrivals <= len(kept)
        moments = len({at for _, at, seq in kept if seq is None})
        assert self.ledger.arrivals <= numbered + moments + numbered + 1


TestArrivals = Arrivals.TestCase
TestArrivals.settings = settings(max_examples=60, stateful_step_count=40)
