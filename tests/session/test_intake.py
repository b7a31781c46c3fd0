"""Messages and commands, processed in order and in steps."""

import struct
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.audio.endpointer import Endpointing, EndpointRules, SpeechStart, UtteranceEnd
from auricle.audio.opus import find_libopus
from auricle.protocol.framing import pack
from auricle.session.arrivals import SafeMark
from auricle.session.intake import (
    ITEM_BYTES,
    MAX_INBOX_BYTES,
    MAX_STEP_SAMPLES,
    MERGED_PACKETS,
    MERGED_SAMPLES,
    SKIP_FROM_SAMPLES,
    Intake,
    IntakeEvent,
    OrderedCommand,
)
from auricle.session.utterances.segmenter import SpeechSegmenter
from auricle.values.commands import Configure, Finalize, Stop, StreamParameters
from auricle.values.errors import AuricleError, LocalProtocolError, RemoteProtocolError
from auricle.values.events import SwitchFormat, Warned, WarningCode, Wire
from auricle.values.types import OpusPacket, Pcm16
from tests.support.clips import CLIPS
from tests.support.opus import encode_packets, tone
from tests.support.session import silence

pytestmark = pytest.mark.unit

SPEECH = CLIPS["short.wav"].pcm
PACKETS = encode_packets(tone(300, 16_000))
PCM = {"format": Wire.PCM16, "seq": True}


class Stage(Intake):
    """An intake whose audio segmenters receive, one for each channel."""

    def __init__(self, parameters: StreamParameters) -> None:
        super().__init__(parameters, find_libopus(), 0.0, self.is_open)
        self.segmenters = [
            SpeechSegmenter(EndpointRules(), parameters.start_sample)
            for _ in range(parameters.separate_channels)
        ]
        self.endpointings: list[tuple[int, Endpointing]] = []

    def is_open(self) -> bool:
        return any(each.is_open for each in self.segmenters)

    def next_event(self, now: float) -> IntakeEvent | None:
        event = super().next_event(now)
        if event is not None:
            for each in self.segmenters if event.skipped_samples else ():
                each.skip(event.skipped_samples)
            self.hear(event.pcm)
        return event

    def receive_rest(self, now: float) -> npt.NDArray[np.int16]:
        return self.hear(super().receive_rest(now))

    def hear(self, pcm: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
        for number, each in enumerate(self.segmenters):
            own = pcm[number] if pcm.ndim > 1 else pcm
            self.endpointings += [(number, found) for found in each.receive(own)]
            assert each.received_sample == self.clock_sample
        return pcm


def intake(**parameters: object) -> Stage:
    return Stage(StreamParameters(**({"seq": True} | parameters)))  # type: ignore[arg-type]  # fields by name


def drain(it: Intake, now: float = 0.0) -> list[IntakeEvent]:
    happened = []
    while (next_one := it.next_event(now)) is not None:
        happened.append(next_one)
    return happened


def numbered(*numbers: int) -> bytes:
    return b"".join(pack(PACKETS[number % len(PACKETS)], number) for number in numbers)


def at(position: int, pcm: Pcm16) -> bytes:
    return struct.pack("<Q", position) + pcm.tobytes()


def gaps_ms(happened: list[IntakeEvent]) -> list[int | None]:
    return [
        one.notice.gap_ms
        for one in happened
        if isinstance(one.notice, Warned) and one.notice.code is WarningCode.AUDIO_GAP
    ]


def test_commands_wait_for_the_audio_that_came_before_them() -> None:
    it = intake()
    finalize, configure = Finalize(), Configure(language="de")
    for item in (numbered(0, 1), finalize, numbered(2), configure):
        it.put(item)
    seen: list[object] = []
    while (happened := it.next_event(0.0)) is not None:
        if happened.command is not None:
            seen.append((happened.command, it.received_sample))
    assert seen == [(finalize, 640), (configure, 960)]


def test_the_clock_starts_at_the_requested_sample() -> None:
    it = intake(start_sample=5000)
    assert it.received_sample == 5000
    it.put(numbered(0))
    drain(it)
    assert it.received_sample == 5320
    assert it.received_seq == 0


def test_good_packets_before_a_fault_are_transcribed_and_what_follows_it_is_not() -> None:
    it = intake()
    it.put(numbered(0, 1) + b"\0\0")
    it.put(numbered(2))
    with pytest.raises(RemoteProtocolError):
        drain(it)
    assert it.received_sample == 640
    it.put(numbered(2))
    with pytest.raises(RemoteProtocolError):  # the error is raised by every later call
        drain(it)
    assert it.received_sample == 640


def test_a_new_connection_heals_a_fault_and_continues_by_number() -> None:
    it = intake()
    it.put(numbered(0, 1) + b"\0\0")
    with pytest.raises(AuricleError):
        drain(it)
    it.reconnect()
    it.put(numbered(1, 2))
    assert gaps_ms(drain(it)) == []
    assert it.received_sample == 960


def test_what_was_not_worked_off_is_forgotten_with_its_connection() -> None:
    it = intake()
    it.put(numbered(*range(MERGED_PACKETS + 2)))
    it.put(Stop())
    it.next_event(0.0)
    it.next_event(0.0)
    it.reconnect()
    assert drain(it) == []
    assert it.received_sample == MERGED_PACKETS * 320


def test_the_inbox_is_bounded_in_bytes() -> None:
    it = intake()
    it.put(bytes(MAX_INBOX_BYTES - ITEM_BYTES))
    with pytest.raises(LocalProtocolError):
        it.put(b"")


def test_the_inbox_is_bounded_in_messages_however_small_they_are() -> None:
    it = intake()
    for _ in range(MAX_INBOX_BYTES // ITEM_BYTES):
        it.put(Finalize())
    with pytest.raises(LocalProtocolError):
        it.put(Finalize())
    assert len(drain(it)) == MAX_INBOX_BYTES // ITEM_BYTES
    it.put(Finalize())


def test_a_gap_is_reported_and_filled_so_that_the_clock_is_right() -> None:
    it = intake()
    it.put(numbered(0, 26))
    happened = drain(it)
    assert gaps_ms(happened) == [500]
    assert it.received_sample == 27 * 320
    assert it.clock_sample == it.received_sample
    assert it.counts.lost_packets == 25


def test_after_100_ms_of_concealment_a_gap_is_exact_silence() -> None:
    it = intake()
    it.put(numbered(0, 1, 2, 22))
    drain(it)
    gap = it.segmenters[0].read(3 * 320, 22 * 320)
    assert gap[:1600].any()
    assert not gap[1600:].any()


def test_a_gap_that_is_all_concealed_is_safe_with_its_last_packet() -> None:
    it = intake()
    it.put(numbered(0, 3))
    while not gaps_ms([it.next_event(0.0) or IntakeEvent()]):
        pass
    assert it.received_sample == 960
    assert it.arrivals.settle(960) == SafeMark(960, 2)


def test_the_time_of_a_gap_counts_as_received_before_it_is_worked_off() -> None:
    it = intake()
    it.put(numbered(0, 1 + 250))
    while not gaps_ms([it.next_event(0.0) or IntakeEvent()]):
        pass
    assert it.clock_sample == 320 + 1600
    assert it.received_sample == 251 * 320


def test_a_long_gap_is_processed_in_steps() -> None:
    it = intake()
    it.put(numbered(0, 1 + SKIP_FROM_SAMPLES // 320))
    most = 0
    while True:
        before = it.clock_sample
        if it.next_event(0.0) is None:
            break
        most = max(most, it.clock_sample - before)
    assert most == MAX_STEP_SAMPLES


def test_a_gap_of_an_hour_is_skipped_and_what_follows_is_transcribed() -> None:
    it = intake(**PCM)
    it.put(at(0, silence(1)))
    it.put(at(3600 * 16_000, SPEECH))
    happened = drain(it)
    assert len(happened) < 20
    assert it.received_sample == 3600 * 16_000 + SPEECH.size
    (start,) = [event for _, event in it.endpointings if isinstance(event, SpeechStart)]
    assert 3600 * 16_000 <= start.start_sample < 3600 * 16_000 + SPEECH.size


def test_an_utterance_ends_before_a_gap_is_jumped_over() -> None:
    it = intake(**PCM)
    it.put(at(0, SPEECH))
    it.put(at(SPEECH.size + 600 * 16_000, silence(0.1)))
    drain(it)
    events = [event for _, event in it.endpointings]
    assert [type(event) for event in events if isinstance(event, SpeechStart | UtteranceEnd)] == [
        SpeechStart,
        UtteranceEnd,
    ]
    assert it.received_sample == SPEECH.size + 600 * 16_000 + 1600


def test_naming_the_format_that_is_there_changes_nothing() -> None:
    it = intake()
    it.put(numbered(0, 1, 2))
    drain(it)
    assert not it.configure(Configure(format=Wire.OPUS, sample_rate=8000), 0.0).size
    it.put(numbered(1, 2, 3))
    drain(it)
    assert it.received_sample == 4 * 320


def test_another_format_continues_at_the_same_place_of_the_clock() -> None:
    it = intake()
    it.put(numbered(0, 1, 2))
    drain(it)
    it.configure(Configure(format=Wire.PCM16, sample_rate=48_000), 0.0)
    assert it.received_seq is None
    it.put(at(3 * 960, tone(300, 4800)))
    assert gaps_ms(drain(it)) == []
    it.configure(Configure(format=Wire.OPUS), 0.0)
    assert it.received_sample == 3 * 320 + 1600  # audio buffered in the resampler was returned too
    it.put(numbered(77, 78))
    assert gaps_ms(drain(it)) == []
    assert it.received_sample == 5 * 320 + 1600
    assert it.counts.packets == 5


def test_another_rate_is_another_stream_of_samples() -> None:
    it = intake(**PCM)
    it.put(at(0, tone(300, 1600)))
    drain(it)
    it.configure(Configure(sample_rate=8000), 0.0)
    it.put(at(800, tone(300, 800)))
    assert gaps_ms(drain(it)) == []
    it.finish(0.0)
    assert it.received_sample == 3200


def test_a_container_takes_the_place_of_packets_and_can_not_be_resumed() -> None:
    it = intake()
    assert it.is_resumable
    it.configure(Configure(format=Wire.WEBM), 0.0)
    assert not it.is_resumable


def test_the_stream_ends_with_what_its_format_held_back() -> None:
    it = intake(format=Wire.PCM16, sample_rate=48_000, seq=False)
    it.put(tone(300, 48_000).tobytes())
    drain(it)
    before = it.received_sample
    it.finish(0.0)
    assert before < it.received_sample == 16_000


def test_after_the_end_received_audio_is_discarded() -> None:
    it = intake()
    it.put(Stop())
    it.put(numbered(0))
    (happened,) = [it.next_event(0.0)]
    assert happened is not None
    assert happened.command == Stop()
    it.finish(0.0)
    assert drain(it) == []
    it.reconnect()
    it.put(numbered(0))
    assert drain(it) == []
    assert it.received_sample == 0
    assert it.counts.packets == 0


def test_packets_that_come_again_forever_cost_no_memory() -> None:
    it = intake()
    it.put(numbered(0))
    drain(it)
    for number in range(100):
        it.put(numbered(*[0] * 10))
        drain(it, now=float(number))
    assert len(it.arrivals) == 1


def test_audio_faster_than_it_is_spoken_is_ahead() -> None:
    it = intake(format=Wire.PCM16, seq=False)
    it.put(bytes(2 * 16_000 * 6))
    drain(it)
    assert it.pace.is_ahead(0.0)
    assert not it.pace.is_ahead(1.1)


def test_a_gap_puts_no_session_ahead() -> None:
    it = intake(**PCM)
    it.put(at(100 * 16_000, silence(0.1)))
    drain(it)
    assert not it.pace.is_ahead(0.0)


def test_a_session_in_the_place_of_a_forgotten_one_may_begin_with_what_was_kept() -> None:
    it = intake(format=Wire.PCM16, seq=False, start_sample=16_000)
    it.put(bytes(2 * 16_000 * 45))
    drain(it)
    assert not it.pace.is_ahead(0.0)


def test_a_switch_is_passed_on() -> None:
    it = intake()
    it.put(b"".join(pack(OpusPacket(b"\x03"), number) for number in range(6)))
    assert [type(one.notice) for one in drain(it) if one.notice].count(SwitchFormat) == 1
    assert it.received_sample == 6 * 320


def test_decoded_audio_is_the_audio_that_was_sent() -> None:
    it = intake(**PCM)
    it.put(at(0, SPEECH))
    drain(it)
    assert np.array_equal(it.segmenters[0].read(0, SPEECH.size), SPEECH)


def test_packets_that_arrived_together_are_processed_together_up_to_a_tenth_of_a_second() -> None:
    it = intake()
    for number in range(2 * MERGED_PACKETS + 1):  # in one message each
        it.put(numbered(number))
    steps = [
        (one.steps, it.received_sample // 320) for one in iter(lambda: it.next_event(0.0), None)
    ]
    assert [step for step in steps if step[0] > 1] == [
        (MERGED_PACKETS, MERGED_PACKETS),
        (MERGED_PACKETS, 2 * MERGED_PACKETS),
    ]
    assert it.received_sample == (2 * MERGED_PACKETS + 1) * 320


def test_long_packets_are_merged_by_their_length_and_short_ones_by_their_number() -> None:
    for frame_ms, merged in ((60, 5), (2.5, MERGED_PACKETS)):
        it = intake(frame_ms=frame_ms)
        packets = encode_packets(tone(300, 16_000), frame_ms)
        it.put(b"".join(pack(packet, number) for number, packet in enumerate(packets)))
        most, before = 0, 0
        while it.next_event(0.0) is not None:
            most, before = max(most, it.received_sample - before), it.received_sample
        assert most == merged * frame_ms * 16
        assert most < MERGED_SAMPLES + 60 * 16


def test_each_packet_that_was_merged_is_safe_by_its_own_number() -> None:
    it = intake()
    it.put(numbered(*range(MERGED_PACKETS)))
    drain(it)
    assert it.arrivals.settle(2 * 320 + 1) == SafeMark(640, 1)


def test_audio_before_an_invalid_message_is_received_though_both_arrived_together() -> None:
    it = intake()
    it.put(numbered(0))
    it.put(numbered(1) + b"\0\0")
    it.put(numbered(2))
    it.next_event(0.0)
    happened = it.next_event(0.0)
    assert happened is not None
    assert (happened.steps, it.received_sample) == (2, 640)
    with pytest.raises(RemoteProtocolError):
        it.next_event(0.0)
    it.put(numbered(2))
    with pytest.raises(RemoteProtocolError):
        drain(it)
    assert it.received_sample == 640


def test_a_new_connection_does_not_report_an_invalid_message_of_the_old_one() -> None:
    it = intake()
    it.put(numbered(0) + b"\0\0")
    it.next_event(0.0)
    it.next_event(0.0)
    assert it.received_sample == 320
    it.reconnect()
    it.put(numbered(1))
    drain(it)
    assert it.received_sample == 640


def test_a_gap_after_merged_audio_is_not_lost_with_the_connection() -> None:
    it = intake()
    it.put(numbered(0, 1, 5))
    it.next_event(0.0)
    it.next_event(0.0)
    assert it.received_sample == 640
    it.reconnect()
    it.put(numbered(2, 3, 4, 5, 6))  # up to 5, they are repeats
    assert gaps_ms(drain(it)) == [60]
    assert it.received_sample == 7 * 320


PAIR = np.concatenate([CLIPS["pair.wav"].pcm, silence(0.6)])
PAIR_PACKETS = encode_packets(PAIR)
Message = bytes | OrderedCommand


def outcome(it: Stage, groups: list[list[Message]]) -> dict[str, Any]:
    """Return all that messages became; those of a group arrive together."""
    others: list[object] = []
    for group in groups:
        for message in group:
            it.put(message)
        for happened in iter(lambda: it.next_event(0.0), None):
            if happened.command is not None:
                others.append(it.received_sample)
                for number, each in enumerate(it.segmenters):
                    it.endpointings += [(number, found) for found in each.finalize()]
            others += [happened.notice] if happened.notice is not None else []
    last_sample = it.received_sample
    marks = [it.arrivals.settle(sample) for sample in range(0, last_sample, 1000)]
    return {
        "events": sorted(it.endpointings, key=lambda found: found[0]),
        "others": others,
        "received": (last_sample, it.received_seq),
        "audio": [each.read(0, last_sample).tobytes() for each in it.segmenters],
        "marks": None if it.received_seq is None else marks,  # samples are safe one by one
        "counts": (it.counts.packets, it.counts.lost_packets),
    }


@st.composite
def grouped(draw: st.DrawFn, messages: list[Message]) -> list[list[Message]]:
    """Divide messages into groups that arrive together, with commands among them."""
    groups: list[list[Message]] = [[]]
    for message in messages:
        groups[-1].append(message)
        match draw(st.sampled_from(["with", "with", "with", "with", "after", "command"])):
            case "after":
                groups.append([])
            case "command":
                groups[-1].append(Finalize())
    return groups


def apart(groups: list[list[Message]]) -> list[list[Message]]:
    return [[message] for group in groups for message in group]


@st.composite
def packet_groups(draw: st.DrawFn) -> list[list[Message]]:
    """Return messages of one to nine packets; some packets are lost or repeated."""
    messages: list[Message] = []
    at = 0
    while at < len(PAIR_PACKETS):
        numbers = [*range(at, min(at + draw(st.integers(1, 9)), len(PAIR_PACKETS)))]
        at = numbers[-1] + 1
        match draw(st.sampled_from(["whole", "whole", "whole", "lost", "repeated"])):
            case "lost":
                del numbers[draw(st.integers(0, len(numbers) - 1))]
            case "repeated":
                numbers = [max(0, numbers[0] - 1), *numbers]
        messages.append(b"".join(pack(PAIR_PACKETS[number], number) for number in numbers))
    return draw(grouped(messages))


@settings(max_examples=20)
@given(groups=packet_groups())
def test_what_packets_become_does_not_depend_on_which_of_them_arrive_together(
    groups: list[list[Message]],
) -> None:
    assert outcome(intake(), groups) == outcome(intake(), apart(groups))


@st.composite
def sample_groups(draw: st.DrawFn, channels: int) -> list[list[Message]]:
    """Return messages of any number of bytes; the second channel has the same audio later."""
    pcm = np.stack([np.roll(PAIR, 16_000 * channel) for channel in range(channels)], axis=-1)
    data = pcm.tobytes()
    cuts = draw(st.lists(st.integers(0, len(data)), min_size=20, max_size=100))
    bounds = [0, *sorted(cuts), len(data)]
    return draw(grouped([data[start:end] for start, end in pairwise(bounds)]))


@settings(max_examples=20)
@given(data=st.data())
@pytest.mark.parametrize("channels", [1, 2])
def test_what_samples_become_does_not_depend_on_which_of_them_arrive_together(
    channels: int, data: st.DataObject
) -> None:
    groups = data.draw(sample_groups(channels))
    values = {"format": Wire.PCM16, "seq": False, "channels": channels}
    together, one_by_one = (
        outcome(intake(**values, multichannel=channels > 1), each)
        for each in (groups, apart(groups))
    )
    assert together == one_by_one
