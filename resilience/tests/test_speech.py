from pathlib import Path

import numpy as np

from stt_resilience.speech import RATE_HZ, Clip, read_clips, talk, without_speech

SPEECH = Path(__file__).parents[1] / "speech"


def test_each_clip_has_a_text_and_a_licence_and_is_listed() -> None:
    clips = read_clips(SPEECH)
    assert {clip.name for clip in clips} == {path.name for path in SPEECH.glob("*.wav")}
    assert all(len(clip.text.split()) >= 5 for clip in clips)
    assert 30 < talk(clips).duration_s < 60


def test_an_utterance_ends_with_its_last_loud_sample() -> None:
    pcm = np.concatenate([np.full(100, 5000, np.int16), np.zeros(60, np.int16)])
    made = talk([Clip("x", pcm, "a"), Clip("y", pcm, "b")], pause_s=0.01)
    assert [(each.end, each.until) for each in made.utterances] == [(100, 320), (420, 640)]
    assert (made.pcm.size, made.text) == (640, "a b")


def test_audio_without_speech_is_silent_and_noisy_in_turns() -> None:
    made = without_speech(30.0)
    first, second = made.pcm[: 10 * RATE_HZ], made.pcm[10 * RATE_HZ : 20 * RATE_HZ]
    assert not first.any()
    assert 50 < np.abs(second).mean() < 150
    assert made.pcm.size == 30 * RATE_HZ
