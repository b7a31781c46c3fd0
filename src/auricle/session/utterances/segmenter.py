"""Segment samples into utterances and keep their audio.

This is the session's clock: it counts samples, and nothing else advances it.

Detection at a position depends on the audio there and on some seconds before it, not on the start
of the session, because the detector's windows are aligned to the clock. So a session that replaces
another, with some audio from before the resume position, finds the same utterances.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from auricle.audio.endpointer import Endpointer, Endpointing, EndpointRules
from auricle.audio.gate import GRID_SAMPLES, SpeechProbabilities, VoiceDetector
from auricle.audio.vad import WINDOW_SAMPLES
from auricle.session.context import NO_CONTEXT, DecodingContext
from auricle.session.utterances.recording import Recording
from auricle.session.utterances.ring import PCM16RingBuffer
from auricle.values.types import SAMPLE_RATE_HZ, Pcm16

PAUSE_SAMPLES = 4 * WINDOW_SAMPLES
"""Silence that is a pause, with the last window incomplete: longer than most plosives."""
VAD_WARMUP_SAMPLES = 6 * SAMPLE_RATE_HZ
"""The detector estimates background noise from the quietest part of 3.6 s, with smoothing over a
longer time."""


class SpeechSegmenter:
    """Finds utterances and keeps their audio until it is no longer needed.

    Args:
        rules: The endpointing rules.
        start_sample: Start of the clock.
        resume_sample: End of the last utterance of the previous session, or later. Audio before
            it only warms up the detector.
        max_lag_s: Maximum audio that is kept besides an utterance, in seconds; ``None``: no limit.
        detector: Creates the detector of speech.
    """

    def __init__(
        self,
        rules: EndpointRules,
        start_sample: int,
        resume_sample: int | None = None,
        *,
        max_lag_s: float | None = None,
        detector: Callable[[], SpeechProbabilities] = VoiceDetector,
    ) -> None:
        self._rules = rules
        self._max_lag_s = max_lag_s
        self._detector = detector()
        self._start(start_sample, start_sample if resume_sample is None else resume_sample)

    def _new_recording(self, sample: int) -> Recording | PCM16RingBuffer:
        if self._max_lag_s is None:
            return Recording(sample)
        held_s = self._rules.hard_limit_s + self._max_lag_s
        return PCM16RingBuffer(int(held_s * SAMPLE_RATE_HZ) + VAD_WARMUP_SAMPLES, sample)

    def _start(self, sample: int, resume_sample: int) -> None:
        self._recording = self._new_recording(sample)
        # Earlier audio only warmed up the Opus decoder.
        self._first_sample = max(sample, resume_sample - VAD_WARMUP_SAMPLES)
        self._first_window = self._first_sample - self._first_sample % GRID_SAMPLES
        self._border_sample = resume_sample = max(sample, resume_sample)
        self._endpointer = Endpointer(self._rules, self._first_window, resume_sample)
        silence = np.zeros(self._first_sample - self._first_window, np.int16)
        self._endpointer.receive(silence, self._detector.probabilities(silence))

    @property
    def received_sample(self) -> int:
        """The session's clock: the position of the next sample."""
        return self._recording.end_sample

    @property
    def needed_sample(self) -> int:
        """The position before which neither the open nor a later utterance needs audio."""
        return self._endpointer.needed_sample

    @property
    def is_open(self) -> bool:
        """Whether an utterance is open."""
        return self._endpointer.is_open

    @property
    def is_speaking(self) -> bool:
        """Whether an utterance is open and there is no pause at its end."""
        end_sample = self._endpointer.speech_end_sample
        return end_sample is not None and self.received_sample - end_sample < PAUSE_SAMPLES

    @property
    def is_doubtful(self) -> bool:
        """Whether the audio of the open utterance so far may not be speech."""
        return self._endpointer.is_doubtful

    @property
    def decoded_context_sample(self) -> int | None:
        """``context_sample`` of the open utterance, as of now; see :class:`.UtteranceEnd`."""
        return self._endpointer.decoded_context_sample

    def configure(self, endpoint_ms: int) -> None:
        """Set the silence that ends an utterance, from the next utterance on."""
        self._rules = replace(self._rules, endpoint_ms=endpoint_ms)
        self._endpointer.configure(endpoint_ms)

    def ask_after(self, ask_ms: int | None) -> None:
        """Set the silence after which a pause raises a question, from the next pause on."""
        self._rules = replace(self._rules, ask_ms=ask_ms)
        self._endpointer.ask_after(ask_ms)

    def answer(self, silence_ms: int | None) -> list[Endpointing]:
        """Answer a question with the silence that ends the pause; see :meth:`.Endpointer.answer`.

        Returns:
            The events of the audio received since the question.
        """
        return self._endpointer.answer(silence_ms)

    def limit(self, max_audio_s: float) -> None:
        """Limit utterances to what an engine accepts, in seconds; a lower limit stays."""
        self._rules = self._rules.within(max_audio_s)
        self._endpointer.limit(max_audio_s)

    def receive(self, pcm: Pcm16) -> list[Endpointing]:
        """Process the next samples; return endpointing events in order."""
        if not pcm.size:
            return []
        if (skipped := self._first_sample - self.received_sample) > 0:
            self._recording = self._new_recording(self.received_sample + min(pcm.size, skipped))
            return self.receive(pcm[skipped:])
        self._recording.write(pcm)
        return self._endpointer.receive(pcm, self._detector.probabilities(pcm))

    def finalize(self, *, spares_onset: bool = False) -> list[Endpointing]:
        """End the open utterance now; the stream may continue.

        Args:
            spares_onset: Whether a sound that has just begun after a pause starts the next
                utterance.
        """
        return self._endpointer.finish(spares_onset=spares_onset)

    def flush(self, *, spares_onset: bool = False) -> list[Endpointing]:
        """End the open utterance now; the audio that follows must be detected as speech again.

        Args:
            spares_onset: As for :meth:`finalize`.
        """
        ended = self._endpointer.finish(spares_onset=spares_onset)
        if ended and not self.is_open:
            self._endpointer.reset_speech_state()
        return ended

    def discard(self) -> None:
        """Drop the open utterance."""
        self._endpointer.discard()

    def finish(self) -> list[Endpointing]:
        """End the stream; its last, incomplete window is padded with silence and evaluated."""
        missing = -(self.received_sample - self._first_window) % WINDOW_SAMPLES
        return self.receive(np.zeros(missing, np.int16)) + self._endpointer.finish()

    def skip(self, samples: int) -> None:
        """Advance the clock over a long silence without processing it.

        Raises:
            ValueError: An utterance is open.
        """
        if self.is_open:
            raise ValueError("an utterance is open")
        self._detector.reset()
        start_sample = self.received_sample + samples
        self._start(start_sample, self._border_sample)

    def holds(self, sample: int) -> bool:
        """Return whether the audio from a position on is still held."""
        return sample >= self._recording.start_sample

    def read(self, start_sample: int, end_sample: int) -> Pcm16:
        """Return a copy of the audio between two positions."""
        return self._recording.read(start_sample, end_sample)

    def read_context(
        self, context_sample: int | None, start_sample: int, end_sample: int
    ) -> DecodingContext:
        """Return the preceding audio that an utterance is decoded together with.

        Args:
            context_sample: As in :class:`.UtteranceEnd`.
            start_sample: Start of the utterance.
            end_sample: Its end.
        """
        if context_sample is None:
            return NO_CONTEXT
        first_sample = max(context_sample, self._recording.start_sample)
        context = DecodingContext(self.read(min(first_sample, start_sample), start_sample))
        return context.fitted(end_sample - start_sample, self._rules.hard_limit_s)

    def forget(self, needed_sample: int | None = None) -> None:
        """Drop audio that no utterance needs any more, as audio or as context.

        Args:
            needed_sample: Start of the audio of ended utterances that is not read yet, if any.
        """
        context_sample = self._endpointer.context_sample
        oldest = context_sample if needed_sample is None else min(context_sample, needed_sample)
        self._recording.discard_before(oldest)
