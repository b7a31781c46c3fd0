"""What the tests of endpointer share."""

import numpy as np

from auricle.audio.endpointer import Endpointer, Endpointing, EndpointRules, UtteranceEnd
from auricle.audio.vad import WINDOW_SAMPLES
from auricle.values.types import Pcm16

W = WINDOW_SAMPLES
RULES = EndpointRules()
LEAD, TRAIL = 4_800, 1_536
Script = list[tuple[float, int]]
"""Probabilities of speech, each for a number of windows."""


def probabilities(script: Script) -> list[float]:
    return [probability for probability, windows in script for _ in range(windows)]


def hear(
    script: Script,
    rules: EndpointRules = RULES,
    *,
    start: int = 0,
    chunk: int = 320,
    tail: int = 0,
    endpointer: Endpointer | None = None,
    pcm: Pcm16 | None = None,
) -> list[Endpointing]:
    """Play a script in chunks, each window judged as soon as it is complete; the stream ends."""
    likely = probabilities(script)
    samples = len(likely) * W + tail
    if pcm is None:
        pcm = np.zeros(samples, np.int16)
    endpointer = endpointer or Endpointer(rules, start)
    events, fed_windows = [], 0
    for at in range(0, samples, chunk):
        end = min(at + chunk, samples)
        new_probabilities = np.array(likely[fed_windows : end // W], np.float32)
        fed_windows += new_probabilities.size
        events += endpointer.receive(pcm[at:end], new_probabilities)
    return events + endpointer.finish()


def ends(events: list[Endpointing]) -> list[UtteranceEnd]:
    return [event for event in events if isinstance(event, UtteranceEnd)]
