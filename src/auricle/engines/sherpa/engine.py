"""Models of sherpa-onnx as an engine: whole jobs, alone or in batches."""

from collections.abc import Collection, Sequence
from typing import Protocol

import numpy as np

from auricle.engines.plausibility import first_repeat, is_quiet
from auricle.engines.sherpa.words import Hypothesis, segments_of
from auricle.values.errors import AudioError
from auricle.values.types import SAMPLE_RATE_HZ, Job, JobId, Options, Transcript


class JobDecoder(Protocol):
    """A loaded model: see :mod:`auricle.engines.sherpa.recognisers`."""

    def decode(self, jobs: Sequence[Job]) -> list[Hypothesis]:
        """Return what was recognised in each job, in order."""
        ...


class SherpaEngine:
    """An :class:`auricle.engines.base.Engine` over any model of sherpa-onnx.

    Args:
        model: The loaded model.
        languages: Codes of its languages.
        may_repeat: Whether it writes text freely, so that a repeated phrase is kept once.
    """

    def __init__(self, model: JobDecoder, languages: Collection[str], *, may_repeat: bool) -> None:
        self._model = model
        self._languages = languages
        self._may_repeat = may_repeat

    def warm_up(self) -> None:
        """Decode a second of faint noise, so that the first job does not pay for allocation."""
        noise = np.random.default_rng(0).normal(0, 30, SAMPLE_RATE_HZ).astype(np.int16)
        self._model.decode([Job(JobId("warm-up"), noise)])

    def transcribe(self, jobs: Sequence[Job]) -> list[Transcript | AudioError]:
        """Return one transcript for each job, in order."""
        audible = [job for job in jobs if not is_quiet(job.pcm)]
        hypotheses = iter(self._model.decode(audible) if audible else ())
        return [
            transcript_of(
                Hypothesis("") if is_quiet(job.pcm) else self._cut(next(hypotheses)),
                job.options,
                job.pcm.size,
                self._languages,
            )
            for job in jobs
        ]

    def _cut(self, hypothesis: Hypothesis) -> Hypothesis:
        if not self._may_repeat:
            return hypothesis
        units = hypothesis.tokens or tuple(hypothesis.text.split())
        at = first_repeat([hash(unit) for unit in units])
        if at is None:
            return hypothesis
        text = ("" if hypothesis.tokens else " ").join(units[:at]).strip()
        return Hypothesis(
            text,
            hypothesis.tokens[:at],
            hypothesis.starts_s[:at],
            hypothesis.durations_s[:at],
            hypothesis.logprobs[:at],
            hypothesis.language,
        )


def transcript_of(
    hypothesis: Hypothesis, options: Options, samples: int, languages: Collection[str]
) -> Transcript:
    """Return the transcript of a hypothesis.

    Args:
        hypothesis: What was recognised.
        options: Those of the job.
        samples: Length of its audio.
        languages: Codes of the model's languages.
    """
    language = options.language or hypothesis.language or None
    if language is None and len(languages) == 1:
        (language,) = languages
    text = hypothesis.text.strip()
    if not any(character.isalnum() for character in text):
        return Transcript("", language, 1.0, samples)
    segments = segments_of(
        hypothesis,
        samples,
        by_sentence=options.is_chunk and options.sentence_times,
        with_words=options.word_timestamps,
    )
    return Transcript(text, language, 1.0, samples, segments)
