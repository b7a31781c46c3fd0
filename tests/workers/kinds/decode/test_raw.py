"""PCM16 and Opus packets without a container."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from auricle.audio.opus import find_libopus
from auricle.audio.resample import resample
from auricle.protocol.framing import pack
from auricle.values.errors import AudioError, BadRequest, EmptyAudio, TooLong
from auricle.values.limits import MAX_PACKET_BYTES
from auricle.values.types import OpusPacket, Pcm16
from auricle.workers.kinds.decode.input_file import InputFile
from auricle.workers.kinds.decode.raw import OpusFileReader, PcmFileReader, check_packet_bytes
from auricle.workers.kinds.decode.stream import SampleReader
from tests.support.clips import CLIPS
from tests.support.opus import encode_packets, tone

pytestmark = pytest.mark.unit

LIBRARY = find_libopus()
NO_LIMIT = 10**9
SPEECH = CLIPS["fellow.wav"].pcm
PACKETS = encode_packets(SPEECH)
Write = Callable[[bytes], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(data: bytes) -> str:
        path = tmp_path / "upload"
        path.write_bytes(data)
        return str(path)

    return write


def read(reader: SampleReader) -> Pcm16:
    blocks = []
    fractions = [reader.fraction]
    try:
        while (block := reader.read()) is not None:
            blocks.append(block)
            fractions.append(reader.fraction)
    finally:
        reader.close()
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    return np.concatenate(blocks)


def test_pcm_at_16_khz_comes_out_as_it_is(write: Write) -> None:
    assert np.array_equal(read(PcmFileReader(InputFile(write(SPEECH.tobytes())), 16_000)), SPEECH)


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 48_000])
def test_pcm_at_other_rates_is_as_if_resampled_in_one_go(write: Write, rate_hz: int) -> None:
    pcm = tone(440, 3 * rate_hz)
    expected = resample(pcm, rate_hz)
    found = read(PcmFileReader(InputFile(write(pcm.tobytes())), rate_hz))
    assert abs(found.size - expected.size) <= 1
    size = min(found.size, expected.size)
    difference = found[:size].astype(np.int32) - expected[:size]
    assert np.abs(difference).max() <= 1


def test_half_a_sample_at_the_end_is_dropped(write: Write) -> None:
    assert np.array_equal(
        read(PcmFileReader(InputFile(write(SPEECH.tobytes() + b"x")), 16_000)), SPEECH
    )


@pytest.mark.parametrize("rest", [b"", b"x", b"xyz"])
def test_channels_are_read_alone_or_mixed(write: Write, rest: bytes) -> None:
    other = SPEECH[::-1]
    path = write(np.stack([SPEECH, other], axis=1).tobytes() + rest)

    def of(channel: int | None) -> Pcm16:
        reader = PcmFileReader(InputFile(path), 16_000, 2, channel)
        assert reader.channels == 2
        return read(reader)

    assert np.array_equal(of(0), SPEECH)
    assert np.array_equal(of(1), other)
    mean = (SPEECH.astype(int) + other) / 2
    assert np.abs(of(None) - mean).max() <= 0.5


@pytest.mark.parametrize("rate_hz", [7, 7_999, 96_001, 1_000_000])
def test_absurd_rates_are_refused(write: Write, rate_hz: int) -> None:
    with pytest.raises(BadRequest, match="sample_rate"):
        PcmFileReader(InputFile(write(b"\0\0")), rate_hz)


def test_framed_packets_are_decoded(write: Write) -> None:
    reader = OpusFileReader(InputFile(write(b"".join(map(pack, PACKETS)))), LIBRARY, None, NO_LIMIT)
    pcm = read(reader)
    assert pcm.size == len(PACKETS) * 320
    assert reader.failures == 0


def test_packets_of_one_size_need_no_frames(write: Write) -> None:
    packets = encode_packets(SPEECH, constant_rate=True)
    (size_bytes,) = {len(packet) for packet in packets}
    alone = read(OpusFileReader(InputFile(write(b"".join(packets))), LIBRARY, size_bytes, NO_LIMIT))
    framed = read(
        OpusFileReader(InputFile(write(b"".join(map(pack, packets)))), LIBRARY, None, NO_LIMIT)
    )
    assert np.array_equal(alone, framed)


def test_a_size_that_does_not_fit_the_file_is_reported(write: Write) -> None:
    with pytest.raises(AudioError, match="100 bytes are not a whole number of packets of 60"):
        OpusFileReader(InputFile(write(bytes(100))), LIBRARY, 60, NO_LIMIT)


@pytest.mark.parametrize("packet_bytes", [-1, 0, MAX_PACKET_BYTES + 1])
def test_impossible_packet_sizes_are_refused(packet_bytes: int) -> None:
    with pytest.raises(AudioError, match="opus_packet_bytes"):
        check_packet_bytes(packet_bytes)


@pytest.mark.parametrize("packet_bytes", [1, MAX_PACKET_BYTES])
def test_the_smallest_and_the_largest_packet_size_are_accepted(packet_bytes: int) -> None:
    check_packet_bytes(packet_bytes)


def test_a_damaged_packet_costs_its_own_time(write: Write) -> None:
    damaged = list(PACKETS)
    damaged[10] = OpusPacket(damaged[10][:1] + b"\xff" * 3)
    reader = OpusFileReader(InputFile(write(b"".join(map(pack, damaged)))), LIBRARY, None, NO_LIMIT)
    assert read(reader).size == len(PACKETS) * 320
    assert reader.failures <= 1


def test_nothing_but_damaged_packets_is_bad_audio(write: Write) -> None:
    broken = pack(OpusPacket(b"\x03"))  # three frames or more, and no byte to count them
    with pytest.raises(AudioError, match="No Opus packet can"):
        read(OpusFileReader(InputFile(write(broken * 20)), LIBRARY, None, NO_LIMIT))


def test_no_packet_is_empty_audio(write: Write) -> None:
    with pytest.raises(EmptyAudio):
        read(OpusFileReader(InputFile(write(b"")), LIBRARY, None, NO_LIMIT))


@pytest.mark.parametrize(
    ("end", "says"), [(b"\xff\xff", "65535"), (b"\0\0", " 0 "), (b"\x32\x00half", "6 bytes into")]
)
def test_broken_framing_is_reported(write: Write, end: bytes, says: str) -> None:
    data = b"".join(map(pack, PACKETS)) + end
    with pytest.raises(AudioError, match=says):
        read(OpusFileReader(InputFile(write(data)), LIBRARY, None, NO_LIMIT))


def test_hours_in_a_megabyte_stop_at_the_cap(write: Write) -> None:
    # Six empty SILK frames of 20 ms, each concealed: 120 ms in 2 bytes.
    hours = pack(OpusPacket(b"\x0b\x06")) * 300_000
    assert len(hours) < 1_300_000
    path = write(hours)
    with pytest.raises(TooLong):
        read(OpusFileReader(InputFile(path), LIBRARY, None, 3600 * 16_000))


def test_the_cap_is_the_last_length_that_is_accepted(write: Write) -> None:
    path = write(b"".join(map(pack, PACKETS)))
    samples = len(PACKETS) * 320
    assert read(OpusFileReader(InputFile(path), LIBRARY, None, samples)).size == samples
    with pytest.raises(TooLong):
        read(OpusFileReader(InputFile(path), LIBRARY, None, samples - 1))


class CountedFile(InputFile):
    reads = 0

    def read(self, size_bytes: int = -1) -> bytes:
        self.reads += 1
        return super().read(size_bytes)


def test_the_length_is_added_up_in_steps_and_damaged_packets_count(write: Write) -> None:
    # A packet of code 3 without its count of frames is damaged: it says nothing of its length.
    file = CountedFile(write(pack(OpusPacket(b"\x03")) * 2_000_000))
    reader = OpusFileReader(file, LIBRARY, None, 60 * 16_000)
    assert file.reads == 0  # opening reads nothing
    with pytest.raises(TooLong):
        read(reader)
    assert 0 < file.reads < 30
