from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from auricle.audio.opus import OpusPacketDecoder, find_libopus
from auricle.audio.opus_encoder import FRAMES_MS, RATES_HZ, OpusPacketEncoder
from auricle.protocol.opus_packet import parse_packet
from auricle.values.errors import SetupError
from auricle.values.types import OpusPacket, Pcm16
from tests.support.clips import CLIPS
from tests.support.opus import tone

pytestmark = pytest.mark.unit

LIBRARY = find_libopus()
SPEECH = CLIPS["fellow.wav"].pcm
CODEC_DELAY_SAMPLES = 104


def encode_all(encoder: OpusPacketEncoder, pcm: Pcm16) -> list[OpusPacket]:
    size = encoder.frame_samples
    return [encoder.encode(pcm[at : at + size]) for at in range(0, len(pcm) - size + 1, size)]


def decode_all(packets: list[OpusPacket]) -> Pcm16:
    decoder = OpusPacketDecoder(LIBRARY)
    return np.concatenate([decoder.decode(packet) for packet in packets])


@pytest.mark.parametrize("frame_ms", FRAMES_MS)
def test_speech_is_decoded_at_every_frame_size(frame_ms: float) -> None:
    encoder = OpusPacketEncoder(LIBRARY, frame_ms=frame_ms)
    packets = encode_all(encoder, SPEECH)
    decoded = decode_all(packets)[CODEC_DELAY_SAMPLES:]
    assert {parse_packet(packet).ticks for packet in packets} == {int(48 * frame_ms)}
    assert np.corrcoef(decoded, SPEECH[: decoded.size])[0, 1] > 0.9


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_every_rate_is_decoded_at_16_khz(rate_hz: int) -> None:
    time_s = np.arange(rate_hz) / rate_hz
    said = (8_000 * np.sin(2 * np.pi * 440 * time_s)).astype(np.int16)
    decoded = decode_all(encode_all(OpusPacketEncoder(LIBRARY, rate_hz), said))
    assert decoded.size == 16_000
    assert abs(int(np.abs(np.fft.rfft(decoded.astype(float))).argmax()) - 440) <= 1


@pytest.mark.parametrize("is_interleaved", [False, True])
def test_two_channels_are_stereo_packets(is_interleaved: bool) -> None:
    encoder = OpusPacketEncoder(LIBRARY, 48_000, channels=2, bitrate_bps=64_000)
    left, right = tone(200, 48_000), tone(300, 48_000)
    frames = np.stack([left, right], axis=1).reshape(-1, encoder.frame_samples, 2)
    packets = [encoder.encode(frame.reshape(-1) if is_interleaved else frame) for frame in frames]
    assert all(parse_packet(packet).is_stereo for packet in packets)
    spectrum = np.abs(np.fft.rfft(decode_all(packets).astype(float)))
    assert set(np.argsort(spectrum)[-2:]) == {600, 900}  # three times the pitch: 48 kHz time


@pytest.mark.parametrize("bitrate_bps", [8_000, 24_000, 64_000])
def test_the_bit_rate_is_kept(bitrate_bps: int) -> None:
    packets = encode_all(OpusPacketEncoder(LIBRARY, bitrate_bps=bitrate_bps), SPEECH)
    seconds = 0.02 * len(packets)
    assert 0.6 < 8 * sum(map(len, packets)) / seconds / bitrate_bps < 1.4


def test_silence_is_sent_as_packets_too() -> None:
    packets = encode_all(OpusPacketEncoder(LIBRARY), np.zeros(32_000, np.int16))
    assert len(packets) == 100
    assert all(packets)


def test_the_same_speech_gives_the_same_packets() -> None:
    first = encode_all(OpusPacketEncoder(LIBRARY), SPEECH)
    assert encode_all(OpusPacketEncoder(LIBRARY), SPEECH) == first


def test_samples_need_not_lie_together() -> None:
    apart = np.repeat(SPEECH[:320], 2)[::2]
    assert not apart.flags.c_contiguous
    expected = OpusPacketEncoder(LIBRARY).encode(SPEECH[:320])
    assert OpusPacketEncoder(LIBRARY).encode(apart) == expected


@pytest.mark.parametrize(
    "pcm", [np.zeros(319, np.int16), np.zeros(321, np.int16), np.zeros(320, np.float32)]
)
def test_what_is_not_a_frame_is_refused(pcm: Any) -> None:
    with pytest.raises(ValueError, match="not int16"):
        OpusPacketEncoder(LIBRARY).encode(pcm)


@pytest.mark.parametrize(
    "settings",
    [
        {"sample_rate_hz": 44_100},
        {"channels": 0},
        {"channels": 3},
        {"frame_ms": 30},
        {"bitrate_bps": 499},
        {"bitrate_bps": 512_001},
    ],
)
def test_what_opus_does_not_have_is_refused(settings: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="Opus "):
        OpusPacketEncoder(LIBRARY, **settings)


def test_a_decoder_without_an_encoder_is_reported() -> None:
    decoder_only = replace(LIBRARY, functions=cast(Any, SimpleNamespace()))
    with pytest.raises(SetupError, match="only decode"):
        OpusPacketEncoder(decoder_only)
