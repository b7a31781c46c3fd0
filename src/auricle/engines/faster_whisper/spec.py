"""Whisper through faster-whisper, unchanged: each job's text is what its API returns.

Every job is padded to Whisper's full window of 30 s and decoded separately, so batches are not
faster. The server imports this module for its ``SPEC``; speech libraries are imported in workers.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from auricle.engines.base import COMPUTING_PAUSE_S, BatchRules, CostModel, EngineSettings
from auricle.engines.whisper import spec
from auricle.engines.whisper.models.files import check_model_directory
from auricle.values.errors import AudioError
from auricle.values.types import SAMPLE_RATE_HZ, Job, Segment, Transcript, Word

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

INT16_FULL_SCALE = 32768.0
WARM_UP_SAMPLES = 2 * SAMPLE_RATE_HZ
WARM_UP_HZ = 220
WARM_UP_TOKENS = 20

SPEC = replace(
    spec.SPEC,
    costs=CostModel(
        slowest_factor=100.0,  # five temperatures, each five samples of 224 tokens
        max_pause_s=COMPUTING_PAUSE_S,
    ),
    batches=BatchRules(),
)


class FasterWhisperEngine:
    """An Engine that passes each job to ``WhisperModel.transcribe``."""

    def __init__(self, model: "WhisperModel") -> None:
        self._model = model

    def warm_up(self) -> None:
        """Transcribe a tone, so that no client's request includes the first allocations."""
        turns = np.arange(WARM_UP_SAMPLES) * (WARM_UP_HZ / SAMPLE_RATE_HZ)
        tone = (np.sin(2 * np.pi * turns) * 3000).astype(np.int16)
        # One temperature: a tone would be tried at each one, adding seconds to the start.
        found, _ = self._model.transcribe(
            tone.astype(np.float32) / INT16_FULL_SCALE,
            language="en",
            beam_size=1,
            temperature=0.0,
            max_new_tokens=WARM_UP_TOKENS,
        )
        list(found)

    def transcribe(self, jobs: Sequence[Job]) -> list[Transcript | AudioError]:
        """Return one transcript for each job, in order."""
        return [self._transcribe(job) for job in jobs]

    def _transcribe(self, job: Job) -> Transcript:
        from auricle.engines.whisper.ctranslate2_model import likeliest

        options = job.options
        samples = job.pcm.astype(np.float32) / INT16_FULL_SCALE
        language, probability = options.language, 0.0
        if language is None and options.languages and self._model.model.is_multilingual:
            _, _, rankings = self._model.detect_language(samples)
            language, probability = likeliest(dict(rankings), options.languages)
        found, info = self._model.transcribe(
            samples,
            language=language,
            task=options.task.value,
            beam_size=options.beam_size,
            initial_prompt=options.initial_prompt,
            hotwords=", ".join(options.hotwords) or None,
            word_timestamps=options.word_timestamps,
            condition_on_previous_text=False,
            vad_filter=False,  # Auricle's voice detector has already filtered the job
        )
        # The generator does the work: drain it here, within the attempt's timeout.
        segments = tuple(_segment(segment, job.pcm.size) for segment in found)
        return Transcript(
            text="".join(segment.text for segment in segments).strip(),
            language=info.language,
            language_probability=probability or float(info.language_probability),
            duration_samples=job.pcm.size,
            segments=segments,
        )


def load(settings: EngineSettings) -> FasterWhisperEngine:
    """Load the model in the settings' directory; the factory for workers.

    Raises:
        SetupError: The model cannot be loaded; the message says what to do.
    """
    from faster_whisper import WhisperModel

    from auricle.engines.whisper.loading import load_with

    def construct(path: str, device: str, compute_type: str) -> FasterWhisperEngine:
        return FasterWhisperEngine(
            WhisperModel(
                path,
                device=device,
                device_index=settings.device_index,
                compute_type=compute_type,
                cpu_threads=settings.threads,
            )
        )

    check_model_directory(Path(settings.model))
    return load_with(settings, construct)


def _segment(segment: Any, end_of_job: int) -> Segment:
    words = None
    if segment.words is not None:
        words = tuple(_word(word, end_of_job) for word in segment.words)
    start, end = _span(segment.start, segment.end, end_of_job)
    return Segment(
        start,
        end,
        segment.text,
        words,
        avg_logprob=float(segment.avg_logprob),
        no_speech_prob=float(segment.no_speech_prob),
        compression_ratio=float(segment.compression_ratio),
        temperature=float(segment.temperature),
    )


def _word(word: Any, end_of_job: int) -> Word:
    start, end = _span(word.start, word.end, end_of_job)
    return Word(start, end, word.word, float(word.probability))


def _span(start_s: float, end_s: float, end_of_job: int) -> tuple[int, int]:
    """Return a span in samples, clipped to the job: Whisper's times may exceed its end."""
    start = min(max(round(start_s * SAMPLE_RATE_HZ), 0), end_of_job)
    end = min(max(round(end_s * SAMPLE_RATE_HZ), start), end_of_job)
    return start, end
