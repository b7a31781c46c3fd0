import importlib.machinery
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from auricle.audio.opus import (
    CONCEAL_STEP_SAMPLES,
    MAX_PACKET_SAMPLES,
    OpusPacketDecoder,
    find_libopus,
    packet_samples,
)
from auricle.values.errors import AudioError, SetupError
from auricle.values.limits import MAX_PACKET_BYTES
from auricle.values.types import OpusPacket, Pcm16
from tests.support.clips import CLIPS
from tests.support.opus import drop, encode_packets, tone

pytestmark = pytest.mark.unit

SPEECH = CLIPS["fellow.wav"].pcm
CODEC_DELAY_SAMPLES = 104


@pytest.fixture
def decoder() -> OpusPacketDecoder:
    return OpusPacketDecoder(find_libopus())


def likeness(decoded: Pcm16, said: Pcm16) -> float:
    """The correlation of two recordings, the codec's delay taken off."""
    shifted = decoded[CODEC_DELAY_SAMPLES:].astype(float)
    size = min(shifted.size, said.size)
    return float(np.corrcoef(shifted[:size], said[:size].astype(float))[0, 1])


def delay(decoded: Pcm16, said: Pcm16) -> int:
    """By how many samples a recording is late, judged from its last two seconds."""
    end = said.size - 1_000
    part = said[end - 32_000 : end].astype(float)
    scores = [part @ decoded[end - 32_000 + lag : end + lag].astype(float) for lag in range(400)]
    return int(np.argmax(scores))


def loudness_db(pcm: Pcm16) -> float:
    return float(20 * np.log10(np.std(pcm.astype(float)) + 1))


def decode_with_losses(
    decoder: OpusPacketDecoder, sent: list[OpusPacket | None], samples: int
) -> list[Pcm16]:
    return [
        decoder.conceal(samples) if packet is None else decoder.decode(packet) for packet in sent
    ]


@pytest.mark.parametrize("frame_ms", [2.5, 5, 10, 20, 40, 60])
def test_speech_is_decoded_at_16_khz_at_every_frame_size(
    decoder: OpusPacketDecoder, frame_ms: float
) -> None:
    packets = encode_packets(SPEECH, frame_ms)
    parts = [decoder.decode(packet) for packet in packets]
    assert {part.size for part in parts} == {int(16 * frame_ms)}
    assert all(part.dtype == np.int16 for part in parts)
    assert likeness(np.concatenate(parts), SPEECH) > 0.92  # measured: 0.928 (CELT) to 0.966


def test_a_tone_keeps_its_pitch_and_its_level(decoder: OpusPacketDecoder) -> None:
    said = tone(440, 16_000)
    decoded = np.concatenate([decoder.decode(p) for p in encode_packets(said, bitrate_bps=64_000)])
    spectrum = np.abs(np.fft.rfft(decoded[:16_000].astype(float)))
    assert abs(int(spectrum.argmax()) - 440) <= 1
    level = np.std(decoded[4_000:12_000].astype(float)) / np.std(said.astype(float))
    assert 0.9 < level < 1.1


def test_what_is_given_out_is_not_written_again(decoder: OpusPacketDecoder) -> None:
    first, second = encode_packets(SPEECH[8_000:8_640])
    decoded = decoder.decode(first)
    copy = decoded.copy()
    decoder.decode(second)
    assert np.array_equal(decoded, copy)


def test_decoders_do_not_share_state() -> None:
    packets = encode_packets(SPEECH[:16_000])
    alone = OpusPacketDecoder(find_libopus())
    expected = [alone.decode(packet) for packet in packets]
    one, other = OpusPacketDecoder(find_libopus()), OpusPacketDecoder(find_libopus())
    for packet, pcm in zip(packets, expected, strict=True):
        assert np.array_equal(one.decode(packet), pcm)
        other.conceal(320)


def test_a_reset_decoder_is_like_new(decoder: OpusPacketDecoder) -> None:
    packets = encode_packets(SPEECH[:16_000])
    first = [decoder.decode(packet) for packet in packets]
    decoder.reset()
    again = [decoder.decode(packet) for packet in packets]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_a_decoder_is_a_copy_of_one_that_was_made_once() -> None:
    """libopus looks at the processor for each decoder that it makes, which is slow."""

    class Counting:
        made = 0

        def __getattr__(self, name: str) -> object:
            self.made += name == "opus_decoder_init"
            return getattr(find_libopus().functions, name)

    functions = Counting()
    library = replace(find_libopus(), path="counting", functions=cast(Any, functions))
    decoders = [OpusPacketDecoder(library) for _ in range(3)]
    for decoder in decoders:
        decoder.reset()
    assert functions.made == 1


@pytest.mark.parametrize(
    "loss_pattern",
    [[True, False, False], [False, True], [False] * 9 + [True], [False] * 20 + [True] * 5],
    ids=["1 in 3", "1 in 2", "1 in 10", "5 in 25"],
)
def test_losses_that_are_reported_never_move_the_clock(
    decoder: OpusPacketDecoder, loss_pattern: list[bool]
) -> None:
    sent = drop(encode_packets(SPEECH), loss_pattern)
    parts = decode_with_losses(decoder, sent, 320)
    assert {part.size for part in parts} == {320}
    assert abs(delay(np.concatenate(parts), SPEECH) - CODEC_DELAY_SAMPLES) <= 8


def test_concealment_sounds_like_the_speech_around_it(decoder: OpusPacketDecoder) -> None:
    packets = encode_packets(SPEECH)
    whole = [decoder.decode(packet) for packet in packets]
    decoder.reset()
    sent = drop(packets, [False] * 9 + [True])
    guessed = decode_with_losses(decoder, sent, 320)
    lost = [index for index, packet in enumerate(sent) if packet is None]
    spoken = [index for index in lost if loudness_db(whole[index]) > 45]
    assert len(spoken) > 10
    off_db = [abs(loudness_db(guessed[index]) - loudness_db(whole[index])) for index in spoken]
    assert np.median(off_db) < 6  # silence would be some 50 off


@pytest.mark.parametrize("samples", [CONCEAL_STEP_SAMPLES, 1880, MAX_PACKET_SAMPLES])
def test_any_multiple_of_40_up_to_120_ms_is_concealed(
    decoder: OpusPacketDecoder, samples: int
) -> None:
    assert decoder.conceal(samples).size == samples


@pytest.mark.parametrize("samples", [-40, 0, 39, 41, 1919, 1921, 1960])
def test_other_lengths_can_not_be_concealed(decoder: OpusPacketDecoder, samples: int) -> None:
    with pytest.raises(ValueError, match="multiple of 40"):
        decoder.conceal(samples)


def test_an_empty_packet_is_refused(decoder: OpusPacketDecoder) -> None:
    for call in (decoder.decode, packet_samples):
        with pytest.raises(AudioError, match="empty"):
            call(OpusPacket(b""))


def padded(packet: OpusPacket, size_bytes: int) -> OpusPacket:
    """The same frame with padding up to a size (RFC 6716 §3.2.5)."""
    toc, frame = packet[0] | 3, packet[1:]
    room = size_bytes - 2 - len(frame)  # for the padding and the bytes of its length
    full, rest = divmod(room - 1, 255)
    return OpusPacket(
        bytes([toc, 0x41]) + b"\xff" * full + bytes([rest]) + frame + bytes(room - 1 - full)
    )


@pytest.mark.parametrize("size_bytes", [MAX_PACKET_BYTES - 1, MAX_PACKET_BYTES])
def test_a_padded_packet_up_to_the_limit_is_decoded(
    decoder: OpusPacketDecoder, size_bytes: int
) -> None:
    packet = padded(encode_packets(SPEECH[8_000:8_320])[0], size_bytes)
    assert len(packet) == size_bytes
    assert decoder.decode(packet).size == 320


def test_a_larger_packet_is_refused(decoder: OpusPacketDecoder) -> None:
    packet = padded(encode_packets(SPEECH[8_000:8_320])[0], MAX_PACKET_BYTES + 1)
    with pytest.raises(AudioError, match="4001 bytes"):
        decoder.decode(packet)


def test_two_bytes_can_hold_120_ms(decoder: OpusPacketDecoder) -> None:
    packet = OpusPacket(bytes([0x4B, 6]))  # wideband, 20 ms, six empty frames
    assert packet_samples(packet) == MAX_PACKET_SAMPLES
    assert decoder.decode(packet).size == MAX_PACKET_SAMPLES


@pytest.mark.parametrize("packet", [b"\x4b", b"\x4b\x00", b"\x4b\x07", b"\x4a\xff", b"\x49\x00"])
def test_damaged_packets_are_bad_audio_and_leave_the_decoder_well(
    decoder: OpusPacketDecoder, packet: bytes
) -> None:
    good = encode_packets(SPEECH[:640])
    decoder.decode(good[0])
    with pytest.raises(AudioError, match="Opus packet"):
        decoder.decode(OpusPacket(packet))
    assert decoder.decode(good[1]).size == 320


@pytest.mark.parametrize("packet", [b"\x4b", b"\x4b\x00", b"\x4b\x07", b"\x0b\x0d"])
def test_an_impossible_number_of_frames_has_no_length(packet: bytes) -> None:
    with pytest.raises(AudioError, match="frames"):
        packet_samples(OpusPacket(packet))


@given(st.binary(min_size=1, max_size=3))
@example(b"\x03\x00")
def test_the_length_of_a_packet_is_what_libopus_says(head: bytes) -> None:
    theirs = find_libopus().functions.opus_packet_get_nb_samples(head, len(head), 16_000)
    if theirs <= 0:  # 0: no frames, which libopus refuses only when it decodes
        with pytest.raises(AudioError):
            packet_samples(OpusPacket(head))
    else:
        assert packet_samples(OpusPacket(head)) == theirs


def test_thousands_of_damaged_packets_give_errors_or_noise_and_nothing_worse(
    decoder: OpusPacketDecoder,
) -> None:
    rng = np.random.default_rng(7)
    good = [packet for ms in (10, 20, 60) for packet in encode_packets(SPEECH, ms)]
    errors = 0
    for _ in range(4_000):
        if rng.random() < 0.5:
            damaged = rng.bytes(int(rng.integers(1, 200)))
        else:
            packet = bytearray(good[int(rng.integers(len(good)))])
            for _ in range(int(rng.integers(1, 8))):
                packet[int(rng.integers(len(packet)))] = int(rng.integers(256))
            damaged = bytes(packet[: int(rng.integers(1, len(packet) + 1))])
        try:
            pcm = decoder.decode(OpusPacket(damaged))
        except AudioError:
            errors += 1
        else:
            assert pcm.size == packet_samples(OpusPacket(damaged))
    assert 0 < errors < 4_000
    decoder.reset()
    decoded = np.concatenate([decoder.decode(packet) for packet in encode_packets(SPEECH)])
    assert likeness(decoded, SPEECH) > 0.92


def test_the_library_of_an_installed_package_is_found_and_names_itself() -> None:
    library = find_libopus()
    assert library.origin in ("PyAV", "opuslib-next-bundled", "system")
    assert "opus" in library.version
    assert Path(library.path).is_file() or library.origin == "system"


def test_a_library_that_is_named_is_used() -> None:
    named = find_libopus(find_libopus().path)
    assert named.origin == "setting"
    assert OpusPacketDecoder(named).decode(OpusPacket(b"\x48")).size == 320


def test_a_named_file_that_is_no_libopus_is_the_operators_mistake(tmp_path: Path) -> None:
    text = tmp_path / "libopus.so"
    text.write_text("not a library")
    for path in (text, tmp_path / "missing.so"):
        with pytest.raises(SetupError, match="named as libopus"):
            find_libopus(str(path))


def test_without_the_packages_the_systems_library_is_used_if_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = find_libopus().path
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("ctypes.util.find_library", lambda name: path)
    assert find_libopus.__wrapped__().origin == "system"
    monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
    with pytest.raises(SetupError, match="apt install libopus0"):
        find_libopus.__wrapped__()


def test_a_library_that_does_not_load_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real = find_libopus().path
    broken = tmp_path / "av.libs" / "libopus-0.so.0"
    broken.parent.mkdir()
    broken.write_text("not a library")
    spec = importlib.machinery.ModuleSpec("av", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path / "av")]
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec if name == "av" else None)
    monkeypatch.setattr("ctypes.util.find_library", lambda name: real)
    assert find_libopus.__wrapped__().origin == "system"
