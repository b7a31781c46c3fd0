"""Group speaker embeddings by speaker and estimate the number of speakers; no I/O.

The two groups that are most alike are merged until no two are alike enough. Their *likeness* is the
mean cosine between the groups, relative to the mean cosines inside them: noise lowers all three.
The mean cosine of two groups is the product of their mean vectors, so a matrix of all pairs exists
for one block of a long recording only; the groups of the blocks are then merged in the same way.
Groups with little speech are outliers (laughter, overlaps, short answers): they don't count as
speakers, and join the most similar one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from auricle.values.types import MAX_SPEAKERS, SpeakerOptions

Vectors = npt.NDArray[np.float32]
"""Speaker embeddings of unit length, shape [stretches, dimensions]."""
Labels = npt.NDArray[np.intp]
Seconds = npt.NDArray[np.float64]

SAME_SPEAKER_LIKENESS = 0.58
"""Groups with a higher likeness are one speaker; see docs/decisions/089."""
BLOCK_LIKENESS = 0.85
"""Groups of a block are merged down to this; what is less alike is decided with all blocks."""
USUAL_COSINE, USUAL_PAIRS = 0.58, 30
"""Mean cosine of two stretches of a speaker with CAM++, and how many pairs of a group it weighs as
much as: a small group says little of how much its speaker's stretches differ."""
MIN_COSINE = 0.1
"""Lower limit of the mean cosine inside a group."""
BLOCK_STRETCHES = 800
"""Ten minutes of speech: a matrix of 2.5 MB."""
BLOCK_GROUPS = 64
MIN_SPEAKER_S = 3.0
"""A group with less speech is an outlier: shorter than most turns. In a recording of a few words,
one with less than half the speech of the largest group."""
REFINEMENTS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """The speakers of some stretches.

    Attributes:
        labels: Speaker of each stretch, numbered by first appearance, shape [stretches].
        centroids: Mean voice of each speaker, of unit length, shape [speakers, dimensions].
    """

    labels: Labels
    centroids: Vectors


def cluster(
    vectors: Vectors,
    seconds: Sequence[float] | Seconds,
    options: SpeakerOptions,
    counts: Sequence[int] | Seconds | None = None,
    same_likeness: float = SAME_SPEAKER_LIKENESS,
) -> Clusters:
    """Return the speakers of a recording's stretches.

    Args:
        vectors: The embedding of each stretch, in order of time; at least one.
        seconds: Length of each stretch.
        options: What is known of the number of speakers. A number larger than that of stretches
            can't be reached.
        counts: Number of stretches that each vector is the mean of; ``None``: 1 each.
        same_likeness: Likeness above which groups are one speaker.
    """
    weights = np.asarray(seconds, np.float64)
    sizes = np.ones(len(vectors)) if counts is None else np.asarray(counts, np.float64)
    groups = _group_blocks(vectors, sizes, weights)
    total = int(groups.max()) + 1
    tree = _Linkage(
        _sums(vectors * sizes[:, None], groups, total),
        np.bincount(groups, sizes, total).astype(np.float64),
        np.bincount(groups, weights, total).astype(np.float64),
    )
    speakers = _find_speakers(tree, options, same_likeness)[groups]
    return _by_appearance(vectors, weights, _refine(vectors, weights, speakers))


def _group_blocks(vectors: Vectors, sizes: Seconds, weights: Seconds) -> Labels:
    """Return the group of each stretch: its own if all are one block, else a similar few."""
    if len(vectors) <= BLOCK_STRETCHES:
        return np.arange(len(vectors))
    groups = np.empty(len(vectors), np.intp)
    total = 0
    for start in range(0, len(vectors), BLOCK_STRETCHES):
        block = slice(start, start + BLOCK_STRETCHES)
        tree = _Linkage(vectors[block] * sizes[block, None], sizes[block], weights[block])
        while tree.count > 1 and (
            tree.best_likeness >= BLOCK_LIKENESS or tree.count > BLOCK_GROUPS
        ):
            tree.merge()
        groups[block] = tree.labels() + total
        total += tree.count
    return groups


class _Linkage:
    """Groups that are merged one pair at a time, the most similar pair first.

    Attributes:
        count: Number of groups.
        seconds: Speech of each group, at the index of its first member; 0 elsewhere.
    """

    def __init__(self, sums: npt.NDArray[np.float64], sizes: Seconds, seconds: Seconds) -> None:
        means = sums / sizes[:, None]
        self._cosines = (means @ means.T).astype(np.float32)
        self._sizes = sizes.copy()
        self._pair_sums = np.diagonal(self._cosines) * sizes**2 - sizes
        self._inside = np.sqrt(_mean_inside(self._pair_sums, sizes))
        self._likeness = self._cosines / np.outer(self._inside, self._inside).astype(np.float32)
        np.fill_diagonal(self._likeness, -np.inf)
        self._parent = np.arange(len(sizes))
        self._nearest = self._likeness.argmax(axis=1)
        self._best = self._likeness[self._parent, self._nearest]
        self.seconds = seconds.copy()
        self.count = len(sizes)

    @property
    def best_likeness(self) -> float:
        """Likeness of the pair that is merged next."""
        return float(self._best.max())

    def merge(self) -> None:
        """Merge the most similar pair."""
        first = int(self._best.argmax())
        second = int(self._nearest[first])
        first, second = min(first, second), max(first, second)
        one, two = self._sizes[first], self._sizes[second]
        between = 2 * one * two * float(self._cosines[first, second])
        self._pair_sums[first] += self._pair_sums[second] + between
        self._sizes[first] = one + two
        inside = _mean_inside(self._pair_sums[[first]], self._sizes[[first]])
        self._inside[first] = np.sqrt(inside[0])
        share = np.float32(one / (one + two))
        cosines = self._cosines[first] * share + self._cosines[second] * (1 - share)
        self._cosines[first] = self._cosines[:, first] = cosines
        row = (cosines / (self._inside * self._inside[first])).astype(np.float32)
        row[self._best == -np.inf] = -np.inf  # merged groups
        row[[first, second]] = -np.inf
        self._likeness[first] = self._likeness[:, first] = row
        self._likeness[second] = self._likeness[:, second] = -np.inf
        self._parent[self._parent == second] = first
        self.seconds[first] += self.seconds[second]
        self.seconds[second] = 0.0
        self.count -= 1
        closer = row > self._best
        self._nearest[closer], self._best[closer] = first, row[closer]
        is_stale = (self._nearest == first) & ~closer | (self._nearest == second)
        is_stale &= self._best > -np.inf
        is_stale[first], is_stale[second] = True, False
        stale = np.flatnonzero(is_stale)
        self._nearest[stale] = nearest = self._likeness[stale].argmax(axis=1)
        self._best[stale] = self._likeness[stale, nearest]
        self._best[second] = -np.inf

    def labels(self) -> Labels:
        """Return the group of each first group, from 0."""
        return np.unique(self._parent, return_inverse=True)[1].astype(np.intp)

    def speakers(self, at_least: int) -> Labels:
        """Return the groups with -1 for outliers, and the others numbered from 0.

        If too few have much speech, those with most speech are the speakers.
        """
        is_speaker = self._is_speaker()
        if np.count_nonzero(is_speaker) < at_least:
            is_speaker[np.argsort(-self.seconds, kind="stable")[:at_least]] = True
        return np.where(is_speaker, np.cumsum(is_speaker) - 1, -1)[self._parent]

    def count_speakers(self) -> int:
        """Return the number of groups that are not outliers."""
        return int(np.count_nonzero(self._is_speaker()))

    def _is_speaker(self) -> npt.NDArray[np.bool_]:
        return np.asarray(self.seconds >= min(MIN_SPEAKER_S, self.seconds.max() / 2))


def _mean_inside(pair_sums: Seconds, sizes: Seconds) -> Seconds:
    """Return the mean cosine of two stretches of each group, shrunk to the usual one."""
    sums = pair_sums + USUAL_PAIRS * USUAL_COSINE
    return np.maximum(sums / (sizes * (sizes - 1) + USUAL_PAIRS), MIN_COSINE)


def _find_speakers(tree: _Linkage, options: SpeakerOptions, same_likeness: float) -> Labels:
    """Merge groups into speakers; return the speaker of each first group, -1 for outliers."""
    low = options.num_speakers or options.min_speakers or 1
    high = options.num_speakers or options.max_speakers or MAX_SPEAKERS
    while tree.count > low:
        is_separate = tree.best_likeness < same_likeness
        if is_separate and tree.count_speakers() <= high:
            break
        tree.merge()
    return tree.speakers(at_least=low)


def _refine(vectors: Vectors, weights: Seconds, labels: Labels) -> Labels:
    """Give each stretch to the most similar speaker, a few times; none loses all stretches."""
    count = int(labels.max()) + 1
    for _ in range(REFINEMENTS):
        closest = (vectors @ _centroids(vectors, weights, labels, count).T).argmax(axis=1)
        if np.unique(closest).size < count:
            return np.where(labels < 0, closest, labels)
        labels = closest
    return labels


def _centroids(vectors: Vectors, weights: Seconds, labels: Labels, count: int) -> Vectors:
    known = labels >= 0
    sums = _sums(vectors[known] * weights[known, None], labels[known], count)
    return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True), np.float32)


def _sums(vectors: npt.NDArray[np.floating], labels: Labels, count: int) -> npt.NDArray[np.float64]:
    """Return the sum of each label's vectors; each label from 0 has at least one."""
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], np.arange(count))
    return np.asarray(np.add.reduceat(vectors[order], starts, dtype=np.float64))


def _by_appearance(vectors: Vectors, weights: Seconds, labels: Labels) -> Clusters:
    """Return the speakers in order of their first stretch."""
    _, firsts, inverse = np.unique(labels, return_index=True, return_inverse=True)
    ranks = np.empty(firsts.size, np.intp)
    ranks[np.argsort(firsts)] = np.arange(firsts.size)
    numbered = ranks[inverse]
    return Clusters(numbered, _centroids(vectors, weights, numbered, firsts.size))
