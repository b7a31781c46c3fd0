from typing import Any

import numpy as np
import pytest

from auricle.audio.opus import find_libopus
from auricle.protocol.detect import DETECT_HEAD_BYTES
from auricle.protocol.framing import pack
from auricle.server.uploads.params import Fields, check
from auricle.server.uploads.short_audio import audio_format_of, decode_short
from auricle.values.errors import AudioError, EmptyAudio, OpusWithoutBoundaries
from auricle.values.types import OpusPacket, Pcm16
from tests.support.clips import CLIPS
from tests.support.opus import encode_packets, tone

pytestmark = pytest.mark.unit

NOISE = np.random.default_rng(7).bytes(20_000)


def format_of(audio: bytes, named: str = "auto", **fields: Any) -> str:
    parsed = check(Fields(audio_format=named, **fields))
    return audio_format_of(parsed, audio[:DETECT_HEAD_BYTES], len(audio))


async def decoded(audio: bytes, named: str, **fields: Any) -> Pcm16 | None:
    return await decode_short(
        check(Fields(audio_format=named, **fields)), named, audio, find_libopus()
    )


def framed(seconds: float) -> bytes:
    return b"".join(map(pack, encode_packets(tone(440, int(16_000 * seconds)))))


@pytest.mark.parametrize(
    ("name", "named", "found"),
    [
        ("fellow.wav", "auto", "wav"),
        ("fellow.flac", "auto", "flac"),
        ("fellow.mp3", "auto", "mp3"),
        ("fellow.m4a", "auto", "m4a"),
        ("fellow.ogg", "auto", "ogg"),
        ("fellow.webm", "auto", "webm"),
        ("fellow.opus-packets", "auto", "opus"),
        ("fellow.opus-packets", "opus", "opus"),
        ("fellow.ogg", "opus", "ogg"),
        ("fellow.webm", "opus", "webm"),
        ("fellow.wav", "pcm16", "wav"),
        ("fellow.wav", "wav", "wav"),
        ("fellow.mp3", "wav", "wav"),  # a decode worker detects it
    ],
)
def test_a_format_is_what_was_named_unless_the_bytes_say_otherwise(
    name: str, named: str, found: str
) -> None:
    assert format_of(CLIPS[name].path.read_bytes(), named) == found


def test_bytes_without_a_known_signature_are_left_to_a_decode_worker() -> None:
    assert format_of(NOISE) == "auto"


def test_audio_declared_as_pcm16_is_read_as_such() -> None:
    assert format_of(NOISE, "pcm16") == "pcm16"


def test_packets_of_constant_size_are_opus() -> None:
    assert format_of(NOISE, "auto", opus_packet_bytes=60) == "opus"


@pytest.mark.parametrize("named", ["pcm16", "opus", "wav", "auto"])
def test_no_bytes_are_empty_audio(named: str) -> None:
    with pytest.raises(EmptyAudio):
        format_of(b"", named)


@pytest.mark.parametrize(
    "audio",
    [
        NOISE,
        b"\xff\xff" + NOISE,  # a length of 65535
        b"\x00\x00" + NOISE,  # a length of 0
        b"".join(encode_packets(tone(440, 32_000))),  # packets that follow one another
    ],
    ids=["noise", "65535", "0", "raw"],
)
def test_opus_without_boundaries_is_rejected_with_advice(audio: bytes) -> None:
    with pytest.raises(OpusWithoutBoundaries, match="opus_packet_bytes"):
        format_of(audio, "opus")


def test_a_short_stream_that_breaks_off_is_bad_audio() -> None:
    with pytest.raises(AudioError, match="middle") as caught:
        format_of(framed(0.1)[:-3], "opus")
    assert caught.value.code == "bad_audio"


async def test_pcm16_at_16_khz_is_used_as_it_is() -> None:
    pcm = tone(440, 16_000)
    found = await decoded(pcm.tobytes(), "pcm16")
    assert found is not None
    assert np.array_equal(found, pcm)


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000, 96_000])
async def test_pcm16_at_other_rates_is_resampled(rate: int) -> None:
    found = await decoded(tone(440, rate).tobytes(), "pcm16", sample_rate=rate)
    assert found is not None
    assert found.size == pytest.approx(16_000, abs=2)


async def test_pcm16_has_an_even_number_of_bytes() -> None:
    with pytest.raises(AudioError, match="odd"):
        await decoded(b"\0" * 2001, "pcm16")


@pytest.mark.parametrize(("samples", "is_short"), [(480_000, True), (480_001, False)])
async def test_what_is_longer_than_30_s_is_left_to_a_decode_worker(
    samples: int, is_short: bool
) -> None:
    found = await decoded(bytes(2 * samples), "pcm16")
    assert (found is not None) is is_short


@pytest.mark.parametrize(("seconds", "is_short"), [(30.0, True), (30.02, False)])
async def test_so_are_packets_that_last_longer(seconds: float, is_short: bool) -> None:
    found = await decoded(framed(seconds), "opus")
    assert (found is not None) is is_short


async def test_framed_packets_are_decoded_whole() -> None:
    clip = CLIPS["fellow.opus-packets"]
    found = await decoded(clip.path.read_bytes(), "opus")
    assert found is not None
    assert found.size == pytest.approx(clip.samples, abs=320)
    assert np.abs(found).max() > 1000


async def test_packets_of_a_constant_size_need_no_framing() -> None:
    packets = encode_packets(tone(440, 16_000), constant_rate=True)
    size = len(packets[0])
    assert {len(packet) for packet in packets} == {size}
    raw = b"".join(packets)
    found = await decoded(raw, "opus", opus_packet_bytes=size)
    assert found is not None
    assert found.size == 16_000
    with pytest.raises(AudioError, match="not a multiple"):
        await decoded(raw[:-1], "opus", opus_packet_bytes=size)


@pytest.mark.parametrize("cut", [1, 3, 40])
async def test_packets_that_break_off_are_bad_audio(cut: int) -> None:
    with pytest.raises(AudioError) as caught:
        await decoded(framed(1)[:-cut], "opus")
    assert caught.value.code == "bad_audio"


async def test_a_length_of_65535_is_bad_audio() -> None:
    with pytest.raises(AudioError, match="65535"):
        await decoded(framed(1) + b"\xff\xff123", "opus")


async def test_a_damaged_packet_costs_no_more_than_itself() -> None:
    packets = encode_packets(tone(440, 16_000))
    packets[10] = OpusPacket(b"\xff\xff\xff")
    found = await decoded(b"".join(map(pack, packets)), "opus")
    assert found is not None
    assert found.size == 16_000


async def test_damage_all_over_is_bad_audio() -> None:
    packets = [OpusPacket(b"\xff\xff\xff")] * 50
    with pytest.raises(AudioError):
        await decoded(b"".join(map(pack, packets)), "opus")


@pytest.mark.parametrize("named", ["wav", "auto", "webm"])
async def test_containers_are_left_to_a_decode_worker(named: str) -> None:
    assert await decoded(NOISE, named) is None
