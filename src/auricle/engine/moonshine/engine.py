"""Moonshine as an engine: each job is decoded alone.

The encoder normalises over the whole audio, and activations are quantised by their range in a call.
In a batch, a job's text would therefore depend on the other jobs (docs/decisions/072).
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from auricle.engine.moonshine.guard import (
    MIN_SPLIT_SAMPLES,
    Hypothesis,
    is_doubtful,
    is_text,
    max_tokens,
    quietest_sample,
)
from auricle.engine.moonshine.vocabulary import Vocabulary
from auricle.engine.plausibility import first_repeat, is_quiet
from auricle.errors import AudioError
from auricle.types import SAMPLE_RATE_HZ, Job, JobId, Pcm16, Segment, Transcript

LANGUAGE = "en"


class Decoder(Protocol):
    """The model: see :class:`auricle.engine.moonshine.onnx_model.MoonshineModel`."""

    def decode(self, pcm: Pcm16, prefix: Sequence[int], max_tokens: int) -> Hypothesis:
        """Return the most probable text of the audio."""
        ...


class MoonshineEngine:
    """An :class:`auricle.engine.base.Engine` over Moonshine tiny-en."""

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
        hypotheses = [] if is_quiet(job.pcm) else self._decode(job)
        texts = [
            self._vocabulary.text_of(each.tokens[: first_repeat(each.tokens)])
            for each in hypotheses
        ]
        text = " ".join(filter(is_text, texts))
        segments: tuple[Segment, ...] = ()
        if text:
            logprob = sum(each.avg_logprob for each in hypotheses) / len(hypotheses)
            segments = (Segment(0, job.pcm.size, f" {text}", avg_logprob=logprob),)
        return Transcript(text, LANGUAGE, 1.0, job.pcm.size, segments)

    def _decode(self, job: Job) -> list[Hypothesis]:
        """Decode a job; a doubtful result without its prefix, and then in two halves."""
        limit = max_tokens(job.pcm.size)
        prefix = [token for token in job.options.prefix_tokens if self._vocabulary.is_text(token)]
        prefix = prefix[: limit - 1]
        hypothesis = self._model.decode(job.pcm, prefix, limit)
        if is_doubtful(hypothesis) and prefix:
            hypothesis = self._model.decode(job.pcm, (), limit)
        can_split = job.pcm.size >= MIN_SPLIT_SAMPLES and not job.options.is_partial
        if not is_doubtful(hypothesis) or not can_split:
            return [hypothesis]
        middle = quietest_sample(job.pcm)
        halves = job.pcm[:middle], job.pcm[middle:]
        return [self._model.decode(half, (), max_tokens(half.size)) for half in halves]
