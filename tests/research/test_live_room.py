"""The scene that live_room plays: its sounds pass for speech now and then, and are doubted."""

import numpy as np
import pytest

from auricle.audio.endpointer import EndpointRules, UtteranceEnd
from auricle.session.utterances.segmenter import SpeechSegmenter
from auricle.values.events import Final
from auricle.values.types import SAMPLE_RATE_HZ
from research.live_room import ENDPOINT_MS, invented, scene, sentences_of
from tests.support.room_sounds import SOUNDS

pytestmark = pytest.mark.unit


def final(start_s: float, end_s: float, text: str) -> Final:
    return Final(
        id=1,
        utterance=1,
        text=text,
        start_sample=int(start_s * SAMPLE_RATE_HZ),
        end_sample=int(end_s * SAMPLE_RATE_HZ),
        language="en",
        words=None,
        latency_ms=0,
        revised=False,
    )


def test_sounds_that_pass_for_speech_are_doubted_and_sentences_are_not() -> None:
    played = scene(sentences_of(None), 1.5)
    assert {sound.name for sound in played.sounds} == set(SOUNDS)
    hearing = SpeechSegmenter(EndpointRules(endpoint_ms=ENDPOINT_MS), 0)
    found = hearing.receive(played.pcm) + hearing.finish()
    ended = [end for end in found if isinstance(end, UtteranceEnd)]
    among = {True: 0, False: 0}
    for end in ended:
        is_sentence = any(
            sentence.start_s < end.speech_end_sample / SAMPLE_RATE_HZ - 0.1
            and end.start_sample / SAMPLE_RATE_HZ < sentence.end_s - 0.4
            for sentence in played.sentences
        )
        assert end.is_doubtful is not is_sentence
        among[is_sentence] += 1
    assert among[True] >= len(played.sentences)
    assert among[False] >= 3


def test_the_same_scene_has_the_same_samples() -> None:
    first, second = (scene(sentences_of(None), 0.5) for _ in range(2))
    assert np.array_equal(first.pcm, second.pcm)
    assert np.array_equal(first.plain, second.plain)


def test_a_final_that_overlaps_no_sentence_is_invented() -> None:
    played = scene(sentences_of(None), 0.5)
    sentence, sound = played.sentences[0], played.sounds[0]
    good = final(sentence.start_s, sentence.end_s, "words")
    bad = final(sound.start_s - 0.3, sound.end_s + 0.2, "Yeah.")
    assert invented([good, bad], played) == {sound.name: ["Yeah."]}
