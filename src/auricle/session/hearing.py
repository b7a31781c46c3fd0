"""The session's ear: samples in, utterances out, and the audio that they are made of.

This is the session's clock: it counts samples and nothing else moves it.
"""

from dataclasses import replace

import numpy as np

from auricle.audio.endpointer import Endpointer, Endpointing, EndpointRules
from auricle.audio.vad import WINDOW_SAMPLES, SpeechDetector
from auricle.session.recording import Recording
from auricle.types import Pcm16


class Hearing:
    """Finds utterances and keeps their audio until it is let go of.

    Args:
        rules: What ends an utterance.
        start_sample: Where the clock starts.
    """

    def __init__(self, rules: EndpointRules, start_sample: int) -> None:
        self._rules = rules
        self._detector = SpeechDetector()
        self._start(start_sample)

    def _start(self, sample: int) -> None:
        self._endpointer = Endpointer(self._rules, sample)
        self._recording = Recording(sample)
        self._first_window = sample

    @property
    def received_sample(self) -> int:
        """The clock: the position of the next sample."""
        return self._recording.end_sample

    @property
    def needed_sample(self) -> int:
        """No utterance that is open or still to come holds anything before this position."""
        return self._endpointer.needed_sample

    @property
    def first_window_sample(self) -> int:
        """Where the detector's windows are counted from."""
        return self._first_window

    @property
    def is_open(self) -> bool:
        """Whether an utterance is open."""
        return self._endpointer.is_open

    def configure(self, endpoint_ms: int) -> None:
        """Let another silence end utterances, from the next one on."""
        self._rules = replace(self._rules, endpoint_ms=endpoint_ms)
        self._endpointer.configure(endpoint_ms)

    def receive(self, pcm: Pcm16) -> list[Endpointing]:
        """Take the next samples; return what happened, in order."""
        if not pcm.size:
            return []
        self._recording.add(pcm)
        return self._endpointer.receive(pcm, self._detector.probabilities(pcm))

    def finalize(self) -> list[Endpointing]:
        """End the open utterance now; the stream may go on."""
        return self._endpointer.finish()

    def finish(self) -> list[Endpointing]:
        """End the stream: its last, incomplete window is filled with silence and judged too."""
        missing = -(self.received_sample - self._first_window) % WINDOW_SAMPLES
        return self.receive(np.zeros(missing, np.int16)) + self._endpointer.finish()

    def skip(self, samples: int) -> None:
        """Let the clock jump over a long silence that nobody has to listen to."""
        if self.is_open:
            raise ValueError("an utterance is open")
        self._detector.reset()
        self._start(self.received_sample + samples)

    def read(self, start_sample: int, end_sample: int) -> Pcm16:
        """Return a copy of the audio between two positions."""
        return self._recording.read(start_sample, end_sample)

    def forget(self) -> None:
        """Let go of what no utterance can need any more."""
        self._recording.discard_before(self.needed_sample)
