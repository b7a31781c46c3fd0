"""Long speech through segmentation and the real model: no word is doubled or lost at a cut."""

import random
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from auricle.audio.endpointer import EndpointRules, UtteranceEnd
from auricle.engines.base import EngineSettings
from auricle.engines.whisper.loading import load_backend
from auricle.engines.whisper.short_window import ShortWindowEngine
from auricle.session.utterances.segmenter import SpeechSegmenter
from auricle.values.types import Job, JobId, Options, Pcm16, Transcript
from bench.lib.scoring import Errors, word_errors
from bench.lib.speech import Clip, say, sentence, with_noise
from tests.support.batching import transcribe_sorted
from tests.support.model import bundled_model

pytestmark = pytest.mark.model

SECOND = 16_000
QUIET = 300


@pytest.fixture(scope="module")
def engine() -> ShortWindowEngine:
    model = str(bundled_model())
    settings = EngineSettings(model, "cpu", "int8", 1)
    return ShortWindowEngine(load_backend(settings))


@pytest.fixture(scope="module")
def breathless() -> Clip:
    """Return sentences without pauses between them, about 30 s."""
    chance = random.Random(2)
    texts = [sentence(chance).rstrip(".") for _ in range(6)]
    silence = np.zeros(2 * SECOND, np.int16)
    parts = [silence, *(_trimmed(say(text)) for text in texts), silence]
    return Clip("breathless", "spoken", np.concatenate(parts), " ".join(texts))


def _trimmed(pcm: Pcm16) -> Pcm16:
    loud = np.flatnonzero(np.abs(pcm) > QUIET)
    return pcm[max(0, loud[0] - 400) : loud[-1] + 400]


def utterances(pcm: Pcm16, rules: EndpointRules) -> list[tuple[UtteranceEnd, Pcm16]]:
    hearing = SpeechSegmenter(rules, 0)
    found = []
    for at in range(0, pcm.size, 320):
        for event in hearing.receive(pcm[at : at + 320]):
            if isinstance(event, UtteranceEnd):
                found.append((event, hearing.read(event.start_sample, event.end_sample)))
        hearing.forget()
    return found


def heard(engine: ShortWindowEngine, chunks: Sequence[Pcm16]) -> str:
    options = Options(language="en", beam_size=1)
    jobs = [Job(JobId(str(i)), pcm, options) for i, pcm in enumerate(chunks)]
    results = transcribe_sorted(engine, jobs)
    return " ".join(result.text for result in results if isinstance(result, Transcript))


def errors(engine: ShortWindowEngine, clip: Clip, rules: EndpointRules) -> Errors:
    chunks = [pcm for _, pcm in utterances(clip.pcm, rules)]
    return word_errors(clip.text, heard(engine, chunks))


@pytest.mark.parametrize("snr_db", [None, pytest.param(10, marks=pytest.mark.slow)])
def test_beyond_the_soft_limit_speech_ends_at_dips_and_keeps_its_words(
    engine: ShortWindowEngine, breathless: Clip, snr_db: float | None
) -> None:
    clip = breathless if snr_db is None else with_noise(breathless, snr_db)
    rules = EndpointRules()
    ends = [end for end, _ in utterances(clip.pcm, rules)]
    lengths_s = [(end.end_sample - end.start_sample) / SECOND for end in ends]
    assert len(ends) >= 2
    assert max(lengths_s) > 12
    found = errors(engine, clip, rules)
    assert found.insertions + found.deletions <= (0 if snr_db is None else 2)
    assert found.percent <= (4 if snr_db is None else 12)


@pytest.mark.slow
def test_speech_cut_at_the_hard_limit_keeps_its_words(
    engine: ShortWindowEngine, breathless: Clip
) -> None:
    rules = EndpointRules(soft_limit_s=6, hard_limit_s=6)
    ends = [end for end, _ in utterances(breathless.pcm, rules)]
    assert max(end.end_sample - end.start_sample for end in ends) <= 6 * SECOND
    assert sum(one.end_sample == other.start_sample for one, other in pairwise(ends)) >= 3
    found = errors(engine, breathless, rules)
    assert found.insertions + found.deletions <= 1
    assert found.percent <= 5
