"""The session's ear: samples in, utterances out, and the audio that they are made of.

This is the session's clock: it counts samples and nothing else moves it.

What is heard at a place depends on the audio there and some seconds before it, not on where the
session began: the detector's windows lie at the same places of the clock in every session. So one
that goes on for another, with some audio from before its border, finds the same utterances.
"""

from dataclasses import replace

import numpy as np

from auricle.audio.endpointer import Endpointer, Endpointing, EndpointRules, UtteranceEnd
from auricle.audio.gate import GRID_SAMPLES, VoiceDetector
from auricle.audio.vad import WINDOW_SAMPLES
from auricle.session.recording import Recording
from auricle.types import SAMPLE_RATE_HZ, Pcm16

VAD_WARMUP_SAMPLES = 6 * SAMPLE_RATE_HZ
"""The detector knows the background by the quietest of 3.6 s, smoothed over some more."""

MAX_DECODED_SAMPLES = 25 * SAMPLE_RATE_HZ
"""An utterance and its context together."""


class SpeechSegmenter:
    """Finds utterances and keeps their audio until it is let go of.

    Args:
        rules: What ends an utterance.
        start_sample: Where the clock starts.
        resume_sample: Where the last utterance of the session before this one ended, or later:
            the audio before it is only there to tune in.
    """

    def __init__(
        self, rules: EndpointRules, start_sample: int, resume_sample: int | None = None
    ) -> None:
        self._rules = rules
        self._detector = VoiceDetector()
        self._start(start_sample, start_sample if resume_sample is None else resume_sample)

    def _start(self, sample: int, resume_sample: int) -> None:
        self._recording = Recording(sample)
        # What came earlier was for the decoder alone.
        self._first_sample = max(sample, resume_sample - VAD_WARMUP_SAMPLES)
        self._first_window = self._first_sample - self._first_sample % GRID_SAMPLES
        self._border_sample = resume_sample = max(sample, resume_sample)
        self._endpointer = Endpointer(self._rules, self._first_window, resume_sample)
        silence = np.zeros(self._first_sample - self._first_window, np.int16)
        self._endpointer.receive(silence, self._detector.probabilities(silence))

    @property
    def received_sample(self) -> int:
        """The clock: the position of the next sample."""
        return self._recording.end_sample

    @property
    def needed_sample(self) -> int:
        """No utterance that is open or still to come holds anything before this position."""
        return self._endpointer.needed_sample

    @property
    def is_open(self) -> bool:
        """Whether an utterance is open."""
        return self._endpointer.is_open

    @property
    def is_doubtful(self) -> bool:
        """Whether the open utterance may be no speech, by what it has so far."""
        return self._endpointer.is_doubtful

    def configure(self, endpoint_ms: int) -> None:
        """Let another silence end utterances, from the next one on."""
        self._rules = replace(self._rules, endpoint_ms=endpoint_ms)
        self._endpointer.configure(endpoint_ms)

    def receive(self, pcm: Pcm16) -> list[Endpointing]:
        """Take the next samples; return what happened, in order."""
        if not pcm.size:
            return []
        if (unheard := self._first_sample - self.received_sample) > 0:
            self._recording = Recording(self.received_sample + min(pcm.size, unheard))
            return self.receive(pcm[unheard:])
        self._recording.add(pcm)
        return self._endpointer.receive(pcm, self._detector.probabilities(pcm))

    def finalize(self) -> list[Endpointing]:
        """End the open utterance now; the stream may go on."""
        return self._endpointer.finish()

    def flush(self) -> list[Endpointing]:
        """End the open utterance now; what follows has to show that it is speech."""
        ended = self._endpointer.finish()
        if ended:
            self._endpointer.reset_speech_state()
        return ended

    def discard(self) -> None:
        """Forget the open utterance; whoever asked for it doesn't want what was said so far."""
        self._endpointer.discard()

    def finish(self) -> list[Endpointing]:
        """End the stream: its last, incomplete window is filled with silence and judged too."""
        missing = -(self.received_sample - self._first_window) % WINDOW_SAMPLES
        return self.receive(np.zeros(missing, np.int16)) + self._endpointer.finish()

    def skip(self, samples: int) -> None:
        """Let the clock jump over a long silence that nobody has to listen to."""
        if self.is_open:
            raise ValueError("an utterance is open")
        self._detector.reset()
        start_sample = self.received_sample + samples
        self._start(start_sample, self._border_sample)

    def read(self, start_sample: int, end_sample: int) -> Pcm16:
        """Return a copy of the audio between two positions."""
        return self._recording.read(start_sample, end_sample)

    def read_context(self, end: UtteranceEnd) -> Pcm16:
        """Return a copy of the audio before an utterance that it is decoded together with."""
        if not end.is_doubtful or end.context_sample is None:
            return self.read(end.start_sample, end.start_sample)
        most = MAX_DECODED_SAMPLES - (end.end_sample - end.start_sample)
        context_sample = max(end.context_sample, end.start_sample - max(0, most))
        held_sample = min(self._recording.start_sample, end.start_sample)
        return self.read(max(context_sample, held_sample), end.start_sample)

    def forget(self) -> None:
        """Let go of what no utterance can need any more, as its audio or its context."""
        self._recording.discard_before(self._endpointer.context_sample)
