"""Turn the speakers of stretches into turns: who speaks from when to when; no I/O.

Speech is divided into atoms of at most 0.25 s. An atom's score for a speaker is the mean cosine of
the stretches over it, those centred near it counting most. The most probable sequence of speakers
is found with Viterbi's algorithm: a change of speaker costs much inside continuous speech and
little across a pause, so that borders lie in pauses where there is one.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from auricle.values.speakers import Span
from auricle.values.types import SAMPLE_RATE_HZ

ATOM_SAMPLES = SAMPLE_RATE_HZ // 4
SAMPLE_WEIGHT = 12.0 / SAMPLE_RATE_HZ
"""Log probability per second and unit of cosine."""
CHANGE_COST = 3.0
PAUSE_SAMPLES = SAMPLE_RATE_HZ // 5
"""A pause divides the cost of a change by e for each 0.2 s."""
MIN_CHANGE_COST = 0.3
CONFIDENCE_COSINE = 0.08
"""Difference of cosines at which one speaker is e times as likely as another."""
JOIN_SAMPLES = SAMPLE_RATE_HZ * 27 // 100
"""A shorter detected pause does not end a turn; the pause itself is some 30 ms longer."""
LEAD_SAMPLES = SAMPLE_RATE_HZ * 64 // 1000
"""A turn starts 64 ms before its detected speech: soft first sounds are not detected."""
TRAIL_SAMPLES = SAMPLE_RATE_HZ * 16 // 1000
"""A turn ends half a window of the detector before its detected speech: on average, speech ends in
the middle of the last window."""

Scores = npt.NDArray[np.float64]
Labels = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Turn:
    """Speech of one speaker.

    Attributes:
        start_sample: First sample.
        end_sample: The sample after the last.
        speaker: Number of the speaker.
        confidence: From 0 to 1: how much closer the voice is to this speaker than to any other.
    """

    start_sample: int
    end_sample: int
    speaker: int
    confidence: float


def find_turns(voiced: Sequence[Span], stretches: Sequence[Span], scores: Scores) -> list[Turn]:
    """Return the turns in order of time; they don't overlap.

    Args:
        voiced: Where there is speech, in order, without overlaps.
        stretches: The stretches of speech, in order of their start.
        scores: Cosine of each stretch and each speaker, shape [stretches, speakers].
    """
    atoms = list(_atoms(voiced))
    if not atoms or not len(scores):
        return []
    evidence = _evidence(atoms, stretches, scores)
    lengths = np.array([end - start for start, end in atoms])
    path = best_path(evidence * (lengths * SAMPLE_WEIGHT)[:, None], change_costs(atoms))
    return _turns(atoms, path, evidence)


def _atoms(voiced: Sequence[Span]) -> Iterator[Span]:
    for start, end in voiced:
        parts = max(1, math.ceil((end - start) / ATOM_SAMPLES))
        edges = [start + (end - start) * part // parts for part in range(parts + 1)]
        yield from itertools.pairwise(edges)


def _evidence(atoms: Sequence[Span], stretches: Sequence[Span], scores: Scores) -> Scores:
    """Return the mean score of the stretches over each atom; 0 where there is none."""
    evidence = np.zeros((len(atoms), scores.shape[1]))
    weights = np.zeros(len(atoms))
    middles = np.array([(start + end) / 2 for start, end in atoms])
    for (start, end), score in zip(stretches, scores, strict=True):
        first, last = np.searchsorted(middles, (start, end))
        weight = 1 - np.abs(middles[first:last] * 2 - start - end) / (end - start + 1)
        evidence[first:last] += weight[:, None] * score
        weights[first:last] += weight
    covered = weights > 0
    evidence[covered] /= weights[covered, None]
    return evidence


def change_costs(spans: Sequence[Span]) -> Scores:
    """Return the cost of a change of speaker after each span but the last, as log probability."""
    pauses = [after[0] - before[1] for before, after in itertools.pairwise(spans)]
    return MIN_CHANGE_COST + CHANGE_COST * np.exp(-np.array(pauses) / PAUSE_SAMPLES)


def best_path(gains: Scores, costs: Scores) -> Labels:
    """Return the most probable sequence of speakers (Viterbi's algorithm).

    Args:
        gains: Log probability of each speaker at each step, shape [steps, speakers].
        costs: Cost of a change after each step but the last.
    """
    closest: Labels = gains.argmax(axis=1)
    if (closest == closest[0]).all():
        return closest
    speakers = np.arange(gains.shape[1])
    before = np.empty(gains.shape, np.intp)
    total = gains[0]
    for at in range(1, len(gains)):
        best = int(total.argmax())
        changed = total[best] - costs[at - 1]
        before[at] = np.where(total >= changed, speakers, best)
        total = np.maximum(total, changed) + gains[at]
    path = np.empty(len(gains), np.intp)
    path[-1] = total.argmax()
    for at in range(len(gains) - 1, 0, -1):
        path[at - 1] = before[at, path[at]]
    return path


def _turns(atoms: Sequence[Span], path: Labels, evidence: Scores) -> list[Turn]:
    turns: list[Turn] = []
    first = 0
    for at in range(1, len(atoms) + 1):
        if (
            at < len(atoms)
            and path[at] == path[first]
            and atoms[at][0] - atoms[at - 1][1] < JOIN_SAMPLES
        ):
            continue
        start, end = atoms[first][0], atoms[at - 1][1]
        if at == len(atoms) or atoms[at][0] > end:
            end -= min(TRAIL_SAMPLES, (end - start) // 2)
        earliest = turns[-1].end_sample if turns else 0
        start = max(min(start, earliest), start - LEAD_SAMPLES)
        speaker = int(path[first])
        confidence = _confidence(evidence[first:at].mean(axis=0), speaker)
        turns.append(Turn(start, end, speaker, confidence))
        first = at
    return turns


def _confidence(scores: Scores, speaker: int) -> float:
    odds = np.exp((scores - scores[speaker]) / CONFIDENCE_COSINE)
    return round(float(1 / odds.sum()), 3)
