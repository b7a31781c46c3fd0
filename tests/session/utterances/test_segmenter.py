from collections.abc import Sequence

import numpy as np
import pytest

from auricle.audio.endpointer import (
    Endpointing,
    EndpointRules,
    Pause,
    Resumed,
    SpeechStart,
    UtteranceEnd,
)
from auricle.session.context import NO_CONTEXT
from auricle.session.utterances.segmenter import VAD_WARMUP_SAMPLES, SpeechSegmenter
from auricle.values.types import Pcm16
from tests.support.clips import CLIPS
from tests.support.room_sounds import SOUNDS, to_pcm

pytestmark = pytest.mark.unit

SECOND = 16_000
PACKET = 320
RULES = EndpointRules()
LEAD = 4_800


def talk(noise: float = 5.0) -> Pcm16:
    """Return three clips with noisy pauses between them."""
    parts = [np.zeros(2 * SECOND, np.int16)]
    for name, pause_s in (("fellow.wav", 0.8), ("short.wav", 4.0), ("pair.wav", 1.5)):
        parts += [CLIPS[name].pcm, np.zeros(int(pause_s * SECOND), np.int16)]
    speech = np.concatenate(parts)
    mixed = speech + np.random.default_rng(7).normal(0, noise, speech.size)
    return np.clip(mixed, -32768, 32767).astype(np.int16)


TALK = talk()


def hear(hearing: SpeechSegmenter, pcm: Pcm16, chunk: int = PACKET) -> list[Endpointing]:
    """Play samples and drop unneeded audio as a session does, without ending the stream."""
    found = []
    for at in range(0, pcm.size, chunk):
        found += hearing.receive(pcm[at : at + chunk])
    return found


def ends(found: Sequence[Endpointing]) -> list[UtteranceEnd]:
    return [event for event in found if isinstance(event, UtteranceEnd)]


def test_the_clock_counts_samples() -> None:
    hearing = SpeechSegmenter(RULES, 1_000)
    hearing.receive(TALK[:700])
    assert hearing.receive(TALK[:0]) == []
    assert hearing.received_sample == 1_700


def test_each_clip_is_an_utterance_and_its_audio_can_be_read_to_the_sample() -> None:
    hearing = SpeechSegmenter(RULES, 0)
    found = hear(hearing, TALK) + hearing.finish()
    assert len(ends(found)) >= 3
    for end in ends(found):
        audio = hearing.read(end.start_sample, end.end_sample)
        assert np.array_equal(audio, TALK[end.start_sample : end.end_sample])


@pytest.mark.parametrize("chunk", [37, 512, 5_000, 10**9])
def test_any_split_finds_the_same(chunk: int) -> None:
    expected = SpeechSegmenter(RULES, 0)
    split = SpeechSegmenter(RULES, 0)
    found = hear(split, TALK, chunk) + split.finish()
    assert found == hear(expected, TALK) + expected.finish()


def test_the_end_predicted_in_a_pause_is_that_of_the_final() -> None:
    hearing = SpeechSegmenter(RULES, 0)
    predicted_end: int | None = None
    kept = 0
    for event in hear(hearing, TALK):
        match event:
            case Pause(end_sample):
                predicted_end = end_sample
                assert hearing.received_sample >= end_sample
            case SpeechStart() | Resumed():
                predicted_end = None
            case UtteranceEnd():
                kept += event.end_sample == predicted_end
    assert kept >= 3


def test_what_no_utterance_can_need_is_let_go_of() -> None:
    hearing = SpeechSegmenter(RULES, 0)
    hear(hearing, TALK[: SECOND + PACKET])
    hearing.forget()
    needed = hearing.needed_sample
    assert SECOND - LEAD - 512 <= needed <= SECOND + PACKET - LEAD
    assert np.array_equal(hearing.read(needed, SECOND), TALK[needed:SECOND])
    with pytest.raises(IndexError):
        hearing.read(needed - 1, SECOND)


def test_an_open_utterance_is_kept_whole() -> None:
    hearing = SpeechSegmenter(RULES, 0)
    found: list[Endpointing] = []
    for at in range(0, 5 * SECOND, PACKET):
        found += hearing.receive(TALK[at : at + PACKET])
        hearing.forget()
    (start,) = [event for event in found if isinstance(event, SpeechStart)]
    assert hearing.is_open
    assert hearing.needed_sample == start.start_sample
    assert hearing.read(start.start_sample, 5 * SECOND).size == 5 * SECOND - start.start_sample


@pytest.mark.parametrize("noise", [0, 5, 700])
def test_a_segmenter_that_continues_another_finds_the_same_utterances(noise: float) -> None:
    pcm = talk(noise)
    expected = SpeechSegmenter(RULES, 0)
    all_ends = ends(hear(expected, pcm) + expected.finish())
    assert len(all_ends) >= 3
    for until in range(SECOND, pcm.size, 101 * PACKET):
        first = SpeechSegmenter(RULES, 0)
        hear(first, pcm[:until])
        border = first.needed_sample - first.needed_sample % PACKET
        start = max(0, border - 25 * SECOND // 4 // PACKET * PACKET)
        second = SpeechSegmenter(RULES, start, border)
        found = ends(hear(second, pcm[start:]) + second.finish())
        assert found == [end for end in all_ends if end.start_sample >= border], until


def test_an_utterance_has_the_same_context_in_a_segmenter_that_continues_another() -> None:
    rules = EndpointRules(endpoint_ms=300)
    faint = np.random.default_rng(3).normal(0, 3, 2 * SECOND).astype(np.int16)
    clip = CLIPS["short.wav"].pcm
    # Some of these are detected as speech.
    sounds = [to_pcm(SOUNDS["throat"](np.random.default_rng(seed))) for seed in range(8)]
    close, pause = clip[4000:26_000], faint[: SECOND * 2 // 5]
    parts = [part for sound in sounds for part in (faint, close, pause, close, faint, sound)]
    pcm = np.concatenate([*parts, faint])

    def with_context(hearing: SpeechSegmenter, since: int) -> list[tuple[UtteranceEnd, bytes]]:
        found: list[tuple[UtteranceEnd, bytes]] = []
        for at in range(since, pcm.size, PACKET):
            for end in ends(hearing.receive(pcm[at : at + PACKET])):
                context = hearing.read_context(end.context_sample, end.start_sample, end.end_sample)
                found.append((end, context.pcm.tobytes()))
            hearing.forget()
        return [(end, context) for end, context in found if end.context_sample is not None]

    expected = with_context(SpeechSegmenter(rules, 0), 0)
    assert {end.is_doubtful for end, _ in expected} == {True, False}
    for end, context in expected:
        assert context
        border = end.start_sample - end.start_sample % PACKET
        start = max(0, border - 25 * SECOND // 4 // PACKET * PACKET)
        found = with_context(SpeechSegmenter(rules, start, border), start)
        assert found == [each for each in expected if each[0].start_sample >= border]


@pytest.mark.parametrize(("max_audio_s", "context_s"), [(30.0, 6.0), (5.0, 4.1)])
def test_an_utterance_and_its_context_fit_the_engine(max_audio_s: float, context_s: float) -> None:
    segmenter = SpeechSegmenter(EndpointRules().within(max_audio_s), 0)
    hear(segmenter, np.zeros(10 * SECOND, np.int16))
    context = segmenter.read_context(2 * SECOND, 8 * SECOND, 8 * SECOND + 14_400)
    assert context.samples == context_s * SECOND


def test_an_utterance_without_context_has_none() -> None:
    segmenter = SpeechSegmenter(RULES, 0)
    hear(segmenter, np.zeros(SECOND, np.int16))
    assert segmenter.read_context(None, 0, SECOND) is NO_CONTEXT


def test_speech_before_the_resume_sample_is_not_reported_again() -> None:
    expected = SpeechSegmenter(RULES, 0)
    first, *rest = ends(hear(expected, TALK) + expected.finish())
    hearing = SpeechSegmenter(RULES, 0, first.end_sample)
    assert ends(hear(hearing, TALK) + hearing.finish()) == rest


def test_what_comes_long_before_the_border_is_for_the_decoder_alone() -> None:
    border = VAD_WARMUP_SAMPLES + 3 * SECOND
    hearing = SpeechSegmenter(RULES, 0, border)
    assert hear(hearing, TALK[: 3 * SECOND]) == []
    assert hearing.received_sample == 3 * SECOND
    hear(hearing, TALK[3 * SECOND : 3 * SECOND + 100], chunk=7)
    assert np.array_equal(
        hearing.read(3 * SECOND, 3 * SECOND + 100), TALK[3 * SECOND : 3 * SECOND + 100]
    )
    with pytest.raises(IndexError):
        hearing.read(3 * SECOND - 1, 3 * SECOND)


def test_one_message_may_reach_over_the_place_from_which_it_listens() -> None:
    border = VAD_WARMUP_SAMPLES + 2 * SECOND + 77
    at_once, bit_by_bit = SpeechSegmenter(RULES, 0, border), SpeechSegmenter(RULES, 0, border)
    assert hear(at_once, TALK, TALK.size) == hear(bit_by_bit, TALK)
    assert at_once.received_sample == bit_by_bit.received_sample == TALK.size


def test_speech_up_to_the_very_end_of_the_stream_is_in_its_final() -> None:
    hearing = SpeechSegmenter(RULES, 0)
    until = 5 * SECOND + 100  # within one VAD window
    found = hear(hearing, TALK[:until])
    assert ends(found) == []
    (end,) = ends(hearing.finish())
    assert end.end_sample >= until
    assert hearing.received_sample % 512 == 0
    audio = hearing.read(end.start_sample, end.end_sample)
    assert np.array_equal(audio[: until - end.start_sample], TALK[end.start_sample : until])
    assert not audio[until - end.start_sample :].any()


def test_an_utterance_finalized_in_mid_word_continues_in_the_next() -> None:
    hearing = SpeechSegmenter(RULES, 0)
    assert hearing.finalize() == []
    hear(hearing, TALK[: 5 * SECOND])
    (end,) = ends(hearing.finalize())
    assert end.end_sample <= 5 * SECOND
    assert not hearing.is_open
    found = hear(hearing, TALK[5 * SECOND :])
    (start, *_) = [event for event in found if isinstance(event, SpeechStart)]
    assert start.start_sample == end.end_sample


def test_the_clock_can_jump_over_silence_but_not_out_of_an_utterance() -> None:
    hearing = SpeechSegmenter(RULES, 0)
    hear(hearing, TALK[: 5 * SECOND])
    with pytest.raises(ValueError, match="open"):
        hearing.skip(100)
    hearing.finalize()
    hearing.skip(30 * SECOND + 5)
    assert hearing.received_sample == hearing.needed_sample == 35 * SECOND + 5
    (first, *_) = ends(hear(hearing, TALK))
    assert first.start_sample > 36 * SECOND
    at = first.start_sample - 35 * SECOND - 5
    assert np.array_equal(hearing.read(first.start_sample, first.start_sample + 99), TALK[at:][:99])


def test_a_jump_before_the_border_leaves_it_where_it_is() -> None:
    hearing = SpeechSegmenter(RULES, 0, 15 * SECOND + TALK.size)
    hearing.skip(15 * SECOND)
    assert ends(hear(hearing, TALK)) == []


def test_another_endpoint_holds_from_the_next_utterance_on_and_after_a_jump() -> None:
    def delays(endpoint_ms: int | None) -> list[int]:
        hearing, found_at = SpeechSegmenter(RULES, 0), []
        if endpoint_ms:
            hearing.configure(endpoint_ms)
            hearing.skip(16 * SECOND)
        for at in range(0, TALK.size, PACKET):
            for end in ends(hearing.receive(TALK[at : at + PACKET])):
                found_at.append(hearing.received_sample - end.speech_end_sample)
        return found_at

    assert all(8_192 <= delay < 8_192 + PACKET for delay in delays(None))
    assert all(11_264 <= delay < 11_264 + PACKET for delay in delays(700))
    assert delays(700)
