"""Buffered audio, frame by frame."""

import numpy as np
import pytest

from auricle.client.kept_audio import (
    ENCODER_DELAY_SAMPLES,
    FRAME_SAMPLES,
    LEAD_IN_SAMPLES,
    PCM_KEPT_SAMPLES,
    Frame,
    KeptAudio,
)
from auricle.values.types import OpusPacket, Pcm16

pytestmark = pytest.mark.unit

LEAD_IN_FRAMES = LEAD_IN_SAMPLES // FRAME_SAMPLES


def counting(samples: int, first: int = 0) -> Pcm16:
    """Return samples that are all different, as far as int16 allows."""
    return np.arange(first, first + samples).astype(np.int16)


def frames(number: int) -> Pcm16:
    return counting(number * FRAME_SAMPLES)


def samples(frame: Frame) -> Pcm16:
    assert frame.pcm is not None
    return frame.pcm


def seqs(sent: list[Frame]) -> list[int]:
    return [frame.seq for frame in sent]


def sent(audio: KeptAudio) -> list[int]:
    return seqs(audio.next_frames(10_000))


def test_samples_become_frames_however_they_come() -> None:
    audio, pcm = KeptAudio(), frames(5)
    for start, end in ((0, 1), (1, 319), (319, 320), (320, 1000), (1000, 1600)):
        audio.receive_pcm(pcm[start:end])
    sent = audio.next_frames(10)
    assert seqs(sent) == [0, 1, 2, 3, 4]
    assert [frame.start_sample for frame in sent] == [0, 320, 640, 960, 1280]
    assert np.array_equal(np.concatenate([samples(frame) for frame in sent]), pcm)
    assert {samples(frame).dtype for frame in sent} == {np.dtype(np.int16)}


def test_what_does_not_fill_a_frame_waits() -> None:
    audio = KeptAudio()
    audio.receive_pcm(counting(319))
    assert sent(audio) == []
    audio.receive_pcm(counting(1))
    assert sent(audio) == [0]


def test_a_frame_is_its_own_even_if_the_caller_writes_over_the_samples() -> None:
    audio, pcm = KeptAudio(), counting(FRAME_SAMPLES)
    audio.receive_pcm(pcm)
    pcm[:] = 0
    [frame] = audio.next_frames(1)
    assert np.array_equal(samples(frame), counting(FRAME_SAMPLES))


def test_each_frame_is_encoded_once_and_in_order() -> None:
    encoded: list[int] = []

    def encode(pcm: Pcm16) -> OpusPacket:
        encoded.append(int(pcm[0]))
        return OpusPacket(bytes([len(encoded)]))

    audio = KeptAudio(0, encode)
    audio.receive_pcm(frames(3))
    assert [frame.packet for frame in audio.next_frames(3)] == [b"\x01", b"\x02", b"\x03"]
    audio.rewind(0)
    assert [frame.packet for frame in audio.next_frames(3)] == [b"\x01", b"\x02", b"\x03"]
    assert encoded == [0, 320, 640]


def test_without_an_encoder_there_are_samples_only() -> None:
    audio = KeptAudio(0, lambda pcm: OpusPacket(b"x"))
    audio.receive_pcm(frames(1))
    audio.stop_encoding()
    audio.receive_pcm(frames(1))
    assert [frame.packet for frame in audio.next_frames(2)] == [b"x", None]


def test_the_end_is_filled_up_with_silence() -> None:
    audio = KeptAudio()
    audio.receive_pcm(counting(FRAME_SAMPLES + 1, first=1))
    audio.finish()
    last = audio.next_frames(10)[-1]
    assert audio.end_sample == 2 * FRAME_SAMPLES
    assert samples(last)[0] == FRAME_SAMPLES + 1
    assert not samples(last)[1:].any()
    assert samples(last).dtype == np.int16


def test_silence_follows_that_brings_the_last_speech_out_of_the_decoder() -> None:
    audio = KeptAudio(0, lambda pcm: OpusPacket(b"x"))
    audio.receive_pcm(frames(2))
    audio.finish()
    assert 2 * FRAME_SAMPLES + ENCODER_DELAY_SAMPLES <= audio.end_sample <= 3 * FRAME_SAMPLES


def test_silence_follows_an_incomplete_frame_too() -> None:
    encoded: list[Pcm16] = []

    def encode(pcm: Pcm16) -> OpusPacket:
        encoded.append(pcm)
        return OpusPacket(b"x")

    audio = KeptAudio(0, encode)
    audio.receive_pcm(counting(1, first=7))
    audio.finish()
    [frame] = encoded
    assert frame[0] == 7
    assert not frame[1:].any()
    assert frame.dtype == np.int16


@pytest.mark.parametrize("encode", [None, lambda pcm: OpusPacket(b"x")])
def test_an_end_without_speech_is_nothing(encode: None) -> None:
    audio = KeptAudio(0, encode)
    audio.finish()
    assert audio.end_sample == 0


def test_frames_are_given_up_to_a_number_or_a_place() -> None:
    audio = KeptAudio()
    audio.receive_pcm(frames(10))
    assert seqs(audio.next_frames(3)) == [0, 1, 2]
    assert seqs(audio.next_frames(10, before_sample=4 * FRAME_SAMPLES + 1)) == [3, 4]
    assert seqs(audio.next_frames(10, before_sample=0)) == []
    assert audio.unsent_samples == 5 * FRAME_SAMPLES
    assert audio.next_sample == 5 * FRAME_SAMPLES
    assert sent(audio) == [5, 6, 7, 8, 9]
    assert audio.unsent_samples == 0


@pytest.mark.parametrize(("sample", "first"), [(0, 0), (959, 2), (960, 3), (961, 3), (99_999, 10)])
def test_sending_continues_with_the_frame_that_holds_a_sample(sample: int, first: int) -> None:
    audio = KeptAudio()
    audio.receive_pcm(frames(10))
    sent(audio)
    audio.rewind(sample)
    assert sent(audio) == list(range(first, 10))


def test_the_clock_may_start_anywhere() -> None:
    audio = KeptAudio(1_000_001)
    audio.receive_pcm(frames(3))
    assert audio.first_sample == 1_000_001
    assert [frame.start_sample for frame in audio.next_frames(3)][1] == 1_000_321
    audio.rewind(1_000_321)
    assert sent(audio) == [1, 2]


def test_what_is_safe_is_kept_for_as_long_as_a_server_needs_it_to_tune_in() -> None:
    audio = KeptAudio()
    audio.receive_pcm(frames(LEAD_IN_FRAMES + 10))
    sent(audio)
    audio.forget(LEAD_IN_SAMPLES)
    assert (audio.first_sample, audio.safe_sample) == (0, LEAD_IN_SAMPLES)
    audio.forget(LEAD_IN_SAMPLES + FRAME_SAMPLES - 1)
    assert audio.first_sample == 0
    audio.forget(LEAD_IN_SAMPLES + FRAME_SAMPLES)
    assert audio.first_sample == FRAME_SAMPLES
    assert audio.kept_samples == 9 * FRAME_SAMPLES


def test_a_mark_that_goes_back_or_too_far_changes_nothing() -> None:
    audio = KeptAudio()
    audio.receive_pcm(frames(4))
    audio.forget(2 * FRAME_SAMPLES)
    audio.forget(0)
    assert audio.safe_sample == 2 * FRAME_SAMPLES
    audio.forget(10**9)
    assert audio.safe_sample == 4 * FRAME_SAMPLES


def test_sending_never_goes_back_to_what_is_forgotten() -> None:
    audio = KeptAudio()
    audio.receive_pcm(frames(LEAD_IN_FRAMES + 10))
    sent(audio)
    audio.forget(LEAD_IN_SAMPLES + 5 * FRAME_SAMPLES)
    audio.rewind(0)
    assert sent(audio)[0] == 5


def test_what_is_forgotten_before_it_is_sent_is_not_sent() -> None:
    audio = KeptAudio()
    audio.receive_pcm(frames(LEAD_IN_FRAMES + 10))
    audio.next_frames(3)
    audio.forget(LEAD_IN_SAMPLES + 5 * FRAME_SAMPLES)
    assert sent(audio)[0] == 5


def test_too_much_of_it_lets_the_oldest_go() -> None:
    audio = KeptAudio()
    audio.receive_pcm(frames(10))
    audio.next_frames(4)
    audio.drop_above(6 * FRAME_SAMPLES)
    assert (audio.kept_samples, audio.dropped_samples) == (6 * FRAME_SAMPLES, 0)
    audio.drop_above(3 * FRAME_SAMPLES)
    assert (audio.kept_samples, audio.dropped_samples) == (3 * FRAME_SAMPLES, 3 * FRAME_SAMPLES)
    assert audio.safe_sample == 7 * FRAME_SAMPLES
    assert sent(audio) == [7, 8, 9]


def test_old_frames_keep_their_packet_alone() -> None:
    audio = KeptAudio(encode=lambda pcm: OpusPacket(b"x"))
    kept = PCM_KEPT_SAMPLES // FRAME_SAMPLES
    audio.receive_pcm(np.zeros(PCM_KEPT_SAMPLES + 2 * FRAME_SAMPLES, np.int16))
    sent = audio.next_frames(10_000)
    assert [frame.pcm is None for frame in sent] == [True, True] + kept * [False]
    assert {frame.packet for frame in sent} == {OpusPacket(b"x")}


def test_samples_without_packets_are_kept_however_old() -> None:
    audio = KeptAudio()
    audio.receive_pcm(np.zeros(PCM_KEPT_SAMPLES + 2 * FRAME_SAMPLES, np.int16))
    assert all(frame.pcm is not None for frame in audio.next_frames(10_000))


def test_frames_that_can_not_be_sent_as_pcm_any_more_are_dropped() -> None:
    audio = KeptAudio(encode=lambda pcm: OpusPacket(b"x"))
    audio.receive_pcm(np.zeros(PCM_KEPT_SAMPLES + 3 * FRAME_SAMPLES, np.int16))
    assert sent(audio)[:2] == [0, 1]
    audio.rewind(0)
    audio.stop_encoding()
    assert audio.first_sample == 3 * FRAME_SAMPLES
    assert sent(audio)[0] == 3
