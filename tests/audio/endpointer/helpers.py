"""What the tests of endpointer share."""

import numpy as np

from auricle.audio.endpointer import Endpointer, Endpointing, EndpointRules, UtteranceEnd
from auricle.audio.vad import WINDOW_SAMPLES
from auricle.types import Pcm16

W = WINDOW_SAMPLES
RULES = EndpointRules()
LEAD, TRAIL = 4_800, 3_072
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
    happened, told = [], 0
    for at in range(0, samples, chunk):
        end = min(at + chunk, samples)
        judged = np.array(likely[told : end // W], np.float32)
        told += judged.size
        happened += endpointer.receive(pcm[at:end], judged)
    return happened + endpointer.finish()


def ends(happened: list[Endpointing]) -> list[UtteranceEnd]:
    return [event for event in happened if isinstance(event, UtteranceEnd)]
