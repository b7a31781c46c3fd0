"""Moonshine as an engine: each job is decoded alone.

The encoder normalises over the whole audio, and activations are quantised by their range in a call.
In a batch, a job's text would therefore depend on the other jobs (docs/decisions/072).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from auricle.engines.moonshine.guard import Hypothesis, is_doubtful, is_text, max_tokens
from auricle.engines.moonshine.vocabulary import Vocabulary
from auricle.engines.plausibility import first_repeat, is_quiet
from auricle.values.errors import AudioError
from auricle.values.types import SAMPLE_RATE_HZ, Job, JobId, Pcm16, Segment, Transcript

LANGUAGE = "en"


class Decoder(Protocol):
    """The model: see :class:`auricle.engines.moonshine.onnx_model.MoonshineModel`."""

    def decode(self, pcm: Pcm16, prefix: Sequence[int], max_tokens: int) -> Hypothesis:
        """Return the most probable text of the audio."""
        ...


class MoonshineEngine:
    """An :class:`auricle.engines.base.Engine` over Moonshine tiny-en."""

    def __init__(self, model: Decoder, vocabulary: Vocabulary) -> None:
        self._model = model
        self._vocabulary = vocabulary

    def warm_up(self) -> None:
        """Decode a second of faint noise, so that the first job does not pay for allocation."""
        noise = np.random.default_rng(0).normal(0, 30, SAMPLE_RATE_HZ).astype(np.int16)
        self.transcribe([Job(JobId("warm-up"), noise)])

    def transcribe(self, jobs: Sequence[Job]) -> list[Transcript | AudioError]:
        """Return one transcript for each job, in order."""
        return [self._transcribe(job) for job in jobs]

    def _transcribe(self, job: Job) -> Transcript:
        silent = Transcript("", LANGUAGE, 1.0, job.pcm.size)
        if is_quiet(job.pcm):
            return silent
        hypothesis = self._decode(job)
        text = self._vocabulary.text_of(hypothesis.tokens[: first_repeat(hypothesis.tokens)])
        if not is_text(text):
            return silent
        segment = Segment(0, job.pcm.size, f" {text}", avg_logprob=hypothesis.avg_logprob)
        return replace(silent, text=text, segments=(segment,))

    def _decode(self, job: Job) -> Hypothesis:
        """Decode a job; a doubtful result again without its prefix."""
        limit = max_tokens(job.pcm.size)
        prefix = [token for token in job.options.prefix_tokens if self._vocabulary.is_text(token)]
        prefix = prefix[: limit - 1]
        hypothesis = self._model.decode(job.pcm, prefix, limit)
        if prefix and is_doubtful(hypothesis):
            return self._model.decode(job.pcm, (), limit)
        return hypothesis
