"""A recording of two people: Joe, another voice, and Joe again."""

import numpy as np

from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from tests.support.clips import CLIPS

JOE = CLIPS["fellow.wav"]


def dialogue() -> Pcm16:
    """Return the recording; a second of silence separates what is said."""
    pause = np.zeros(SAMPLE_RATE_HZ, np.int16)
    other = deeper(np.concatenate([CLIPS["pair.wav"].pcm, pause, CLIPS["short.wav"].pcm]))
    return np.concatenate([JOE.pcm, pause, other, pause, JOE.pcm])


def deeper(pcm: Pcm16) -> Pcm16:
    """Return speech as of another person: slower and deeper by a fifth."""
    at = np.arange(int(pcm.size / 0.8)) * 0.8
    deep: Pcm16 = np.interp(at, np.arange(pcm.size), pcm).astype(np.int16)
    return deep
