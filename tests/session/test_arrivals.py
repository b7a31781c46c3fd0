"""Arrivals and safe marks."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from auricle.session.arrivals import MERGE_S, MERGE_SAMPLES, ArrivalLog, SafeMark

pytestmark = pytest.mark.unit

PACKET = 320


def log_of(packets: int, start_sample: int = 0) -> ArrivalLog:
    """Packets from 0, one every 20 ms from time 0 on."""
    arrivals = ArrivalLog(start_sample)
    for seq in range(packets):
        arrivals.note(start_sample + (seq + 1) * PACKET, at=seq * 0.02, seq=seq)
    return arrivals


def test_it_reports_when_the_audio_before_a_position_was_there() -> None:
    arrivals = log_of(10)
    assert arrivals.arrived_at(1) == 0.0
    assert arrivals.arrived_at(PACKET) == 0.0
    assert arrivals.arrived_at(PACKET + 1) == 0.02
    assert arrivals.arrived_at(10 * PACKET) == pytest.approx(0.18)
    assert arrivals.arrived_at(10 * PACKET + 1) is None


def test_a_mark_lies_where_a_packet_ends() -> None:
    arrivals = log_of(40)
    assert arrivals.settle(25 * PACKET - 1) == SafeMark(24 * PACKET, seq=23)
    assert arrivals.settle(25 * PACKET) == SafeMark(25 * PACKET, seq=24)


def test_a_mark_never_goes_back() -> None:
    arrivals = log_of(40)
    first = arrivals.settle(20 * PACKET)
    assert arrivals.settle(10 * PACKET) == first
    assert arrivals.settle(20 * PACKET + 10) == first


def test_before_the_first_packet_is_over_nothing_is_safe() -> None:
    assert log_of(3, start_sample=500).settle(600) == SafeMark(500, None)


def test_before_the_first_mark_there_is_no_other() -> None:
    arrivals = ArrivalLog(1000)
    for sample in range(100, 900, 100):
        arrivals.note(sample, at=0.0, seq=sample // 100)
        assert arrivals.settle(sample).sample == 1000
    arrivals.note(1100, at=0.0, seq=11)
    assert arrivals.settle(1100) == SafeMark(1100, 11)


def test_samples_without_numbers_have_no_borders() -> None:
    arrivals = ArrivalLog(100)
    arrivals.note(5000, at=0.0)
    assert arrivals.settle(3001) == SafeMark(3001)
    assert arrivals.settle(5000) == SafeMark(5000)


def test_after_a_switch_from_packets_to_samples_marks_continue() -> None:
    arrivals = log_of(10)
    arrivals.note(20 * PACKET, at=1.0)
    assert arrivals.settle(9 * PACKET + 5).sample == 9 * PACKET
    assert arrivals.settle(10 * PACKET + 5).sample == 10 * PACKET + 5


def test_the_silence_of_a_gap_is_reported_before_its_last_packet_is_over() -> None:
    arrivals = log_of(10)
    arrivals.note(15 * PACKET, at=1.0)
    arrivals.note(20 * PACKET, at=1.0, seq=19)
    assert arrivals.settle(16 * PACKET) == SafeMark(15 * PACKET, 9)
    assert arrivals.settle(20 * PACKET) == SafeMark(20 * PACKET, 19)


def test_samples_one_by_one_are_few_entries() -> None:
    arrivals = ArrivalLog(0)
    for sample in range(1, 1001):
        arrivals.note(sample, at=0.0)
    assert arrivals.arrived_at(1000) == 0.0
    assert len(arrivals) == 1


def test_a_client_that_sends_slowly_and_sample_by_sample_costs_no_more_than_packets() -> None:
    arrivals = ArrivalLog(0)
    for sample in range(1, 3201):
        arrivals.note(sample, at=float(sample))
    assert len(arrivals) == 10
    assert arrivals.arrived_at(1600) == 1600.0


def test_a_message_of_many_parts_is_one_arrival() -> None:
    arrivals = ArrivalLog(0)
    for sample in range(320, 32_000, 320):
        arrivals.note(sample, at=7.0)
    assert len(arrivals) == 1


def test_what_comes_five_milliseconds_later_is_another_arrival() -> None:
    arrivals = ArrivalLog(0)
    arrivals.note(1000, at=0.0)
    arrivals.note(2000, at=0.004)
    assert len(arrivals) == 1
    arrivals.note(3000, at=MERGE_S)
    assert len(arrivals) == 2
    assert (arrivals.arrived_at(2000), arrivals.arrived_at(2001)) == (0.0, MERGE_S)


def test_what_is_safe_is_forgotten() -> None:
    arrivals = log_of(100)
    arrivals.settle(100 * PACKET)
    assert len(arrivals) == 0


class Arrivals(RuleBasedStateMachine):
    """Compare with a list of all arrivals, from which nothing is dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.end, self.seq = 0.0, 0, 0
        self.all: list[tuple[int, float, int | None]] = []  # end, at, seq
        self.needed = 0

    @initialize(start=st.integers(0, 5000))
    def begin(self, start: int) -> None:
        self.arrivals = ArrivalLog(start)
        self.start = self.end = self.needed = start
        self.mark = SafeMark(start)

    @rule(samples=st.sampled_from([1, 100, 319, 320, 321, 960, 5000]), is_numbered=st.booleans())
    def arrive(self, samples: int, is_numbered: bool) -> None:
        self.end += samples
        seq = self.seq if is_numbered else None
        self.seq += is_numbered
        self.arrivals.note(self.end, self.now, seq)
        self.all.append((self.end, self.now, seq))

    @rule(seconds=st.sampled_from([0.001, 0.0049, 0.02, 1.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(part=st.floats(0, 1))
    def settle(self, part: float) -> None:
        """The needed position advances up to the audio that has arrived."""
        self.needed += round(part * (self.end - self.needed))
        mark = self.arrivals.settle(self.needed)
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
            at = self.arrivals.arrived_at(sample)
            truth = next(at for end, at, _ in self.all if end >= sample)
            later = [at for end, at, _ in self.all if end <= sample + MERGE_SAMPLES]
            assert at is not None
            assert truth - 0.005 < at <= max([truth, *later])
        assert self.arrivals.arrived_at(self.end + 1) is None

    @invariant()
    def it_holds_little(self) -> None:
        """Audio without numbers uses at most one entry per 20 ms of audio and per 5 ms of time."""
        kept = [(end, at, seq) for end, at, seq in self.all if end > self.needed]
        numbered = sum(seq is not None for _, _, seq in kept)
        assert len(self.arrivals) <= len(kept)
        moments = len({at for _, at, seq in kept if seq is None})
        assert len(self.arrivals) <= numbered + moments + numbered + 1


TestArrivals = Arrivals.TestCase
TestArrivals.settings = settings(max_examples=60, stateful_step_count=40)
