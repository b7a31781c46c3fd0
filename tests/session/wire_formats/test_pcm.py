"""PCM at any sample rate, with and without positions."""

import struct
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.audio.resample import resample
from auricle.session.wire_formats.base import Audio, DecodedAudio, Lost
from auricle.session.wire_formats.opus import MAX_GAP_S
from auricle.session.wire_formats.pcm import PcmWire
from auricle.values.commands import StreamParameters
from auricle.values.errors import RemoteProtocolError
from auricle.values.events import Warned, WarningCode, Wire
from auricle.values.types import Pcm16
from tests.support.opus import tone

pytestmark = pytest.mark.unit

RAMP: Pcm16 = np.arange(4000, dtype=np.int16)


def wire(
    *, rate_hz: int = 16_000, channels: int = 1, positions: bool = False, at_sample: int = 0
) -> PcmWire:
    parameters = StreamParameters(
        format=Wire.PCM16, sample_rate=rate_hz, channels=channels, seq=positions
    )
    return PcmWire(parameters, at_sample)


def message(position: int, pcm: Pcm16) -> bytes:
    return struct.pack("<Q", position) + pcm.tobytes()


def take(it: PcmWire, *messages: bytes) -> list[DecodedAudio]:
    found = []
    for data in messages:
        it.receive_data(data)
        while (heard := it.next_decoded()) is not None:
            found.append(heard)
    return found


def samples(found: list[DecodedAudio]) -> Pcm16:
    return np.concatenate([np.zeros(0, np.int16)] + [h.pcm for h in found if isinstance(h, Audio)])


def clock(found: list[DecodedAudio]) -> int:
    """Return the duration of the items in samples."""
    return sum(
        item.samples if isinstance(item, Lost) else item.pcm.size
        for item in found
        if isinstance(item, Audio | Lost)
    )


@given(cuts=st.lists(st.integers(0, 8000), max_size=12).map(sorted))
def test_samples_come_out_as_they_went_in_however_their_bytes_are_split(cuts: list[int]) -> None:
    data = RAMP.tobytes()
    parts = [data[start:end] for start, end in pairwise([0, *cuts, len(data)])]
    assert np.array_equal(samples(take(wire(), *parts)), RAMP)


def test_half_a_sample_waits_for_its_other_half() -> None:
    it = wire()
    assert samples(take(it, b"\x01\x02\x03")).tolist() == [0x0201]
    assert samples(take(it, b"\x04")).tolist() == [0x0403]


def test_half_a_sample_of_the_old_connection_is_forgotten() -> None:
    it = wire()
    take(it, b"\x01\x02\x03")
    it.reconnect()
    assert samples(take(it, b"\x05\x06")).tolist() == [0x0605]


def test_a_large_message_comes_in_bites_of_a_second() -> None:
    found = take(wire(), bytes(2 * 40_000))
    assert [item.pcm.size for item in found if isinstance(item, Audio)] == [16_000, 16_000, 8000]


def test_two_channels_are_mixed() -> None:
    it = wire(channels=2)
    assert samples(
        take(it, np.array([10, 20, -3, -4, 32767, 32767], "<i2").tobytes())
    ).tolist() == [
        15,
        -4,  # halves are rounded to even
        32767,
    ]


@pytest.mark.parametrize("rate_hz", [8000, 44_100, 48_000])
def test_another_rate_gives_what_the_whole_would_give(rate_hz: int) -> None:
    pcm = tone(440, rate_hz)  # one second at any sample rate
    it = wire(rate_hz=rate_hz)
    found = take(it, *[pcm[at : at + 331].tobytes() for at in range(0, pcm.size, 331)])
    tail = it.finish()
    assert tail is not None
    assert np.array_equal(samples([*found, tail]), resample(pcm, rate_hz))


def test_positions_that_continue_change_nothing() -> None:
    it = wire(positions=True, at_sample=500)
    found = take(it, message(500, RAMP[:100]), message(600, RAMP[100:300]))
    assert np.array_equal(samples(found), RAMP[:300])
    assert clock(found) == 300


def test_a_position_that_jumps_is_a_gap_of_that_length() -> None:
    it = wire(positions=True)
    first, lost, second = take(it, message(0, RAMP[:100]), message(1100, RAMP[:100]))
    assert isinstance(first, Audio)
    assert isinstance(lost, Lost)
    assert (lost.samples, lost.pcm.size, lost.seq) == (1000, 0, None)
    assert isinstance(second, Audio)
    (another, _) = take(it, message(3200, RAMP[:100]))
    assert isinstance(another, Lost)
    assert another.samples == 2000


@pytest.mark.parametrize("jump", [1, 2, 3, 1000, 48_001])
def test_a_gap_at_another_rate_keeps_the_clock_exact(jump: int) -> None:
    it = wire(rate_hz=48_000, positions=True)
    pcm = tone(440, 4800)
    found = take(it, message(0, pcm), message(pcm.size + jump, pcm))
    found += [heard for heard in [it.finish()] if heard is not None]
    assert abs(clock(found) - (2 * pcm.size + jump) / 3) <= 1


def test_received_audio_is_dropped_and_reported() -> None:
    it = wire(positions=True)
    take(it, message(0, RAMP[:400]))
    again, rest = take(it, message(300, RAMP[300:500]))
    assert isinstance(again, Warned)
    assert again.code is WarningCode.AUDIO_DROPPED
    assert isinstance(rest, Audio)
    assert np.array_equal(rest.pcm, RAMP[400:500])
    (back,) = take(it, message(0, RAMP[:500]))
    assert isinstance(back, Warned)
    assert np.array_equal(samples(take(it, message(500, RAMP[500:600]))), RAMP[500:600])


def test_repeated_audio_of_a_resumed_session_is_not_reported() -> None:
    it = wire(positions=True)
    take(it, message(0, RAMP[:400]))
    it.reconnect()
    found = take(it, message(0, RAMP[:200]), message(200, RAMP[200:600]))
    assert np.array_equal(samples(found), RAMP[400:600])
    assert len(found) == 1
    assert isinstance(take(it, message(100, RAMP[:10]))[0], Warned)


def test_positions_count_at_the_streams_own_rate() -> None:
    it = wire(rate_hz=48_000, positions=True, at_sample=16_000)
    found = take(it, message(48_000, tone(440, 4800)))
    assert not [heard for heard in found if not isinstance(heard, Audio)]


def test_positions_are_exact_however_large() -> None:
    at_sample = 2**53 - 3  # three times this exceeds the range of a float
    it = wire(rate_hz=48_000, positions=True, at_sample=at_sample)
    found = take(it, message(at_sample * 3, RAMP))
    tail = it.finish()
    assert tail is not None
    assert np.array_equal(samples([*found, tail]), resample(RAMP, 48_000))


def test_an_hour_ahead_is_a_gap_and_more_is_nonsense() -> None:
    it = wire(positions=True)
    found = take(it, message(MAX_GAP_S * 16_000, RAMP[:1]))
    assert clock(found) == MAX_GAP_S * 16_000 + 1
    with pytest.raises(RemoteProtocolError, match="an hour"):
        take(it, message(2 * MAX_GAP_S * 16_000 + 2, RAMP[:1]))


@pytest.mark.parametrize("size_bytes", [0, 1, 7, 9, 11])
def test_a_message_without_a_position_or_with_half_a_sample_is_the_peers_fault(
    size_bytes: int,
) -> None:
    with pytest.raises(RemoteProtocolError, match=f"{size_bytes} bytes"):
        take(wire(positions=True), bytes(size_bytes))


def test_a_position_without_samples_is_fine() -> None:
    it = wire(positions=True)
    assert take(it, message(0, RAMP[:0])) == []
    assert clock(take(it, message(100, RAMP[:0]), message(100, RAMP[:10]))) == 110


def test_only_samples_with_positions_can_be_resumed() -> None:
    assert wire(positions=True).is_resumable
    assert not wire().is_resumable
