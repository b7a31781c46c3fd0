"""Label the speakers of live speech, final by final; no I/O, no clock, no random numbers.

A part of a final belongs to the most similar voice so far, or to a new one if none is similar
enough. After some finals, and at the end, the recent stretches are clustered again as in a file:
what was labelled in haste may then change, and a revision reports it. Older stretches are kept as
one mean vector for each speaker. The labels depend only on the finals, their order, and the voices
that were known before.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from auricle.values.speakers import Span
from auricle.values.types import MAX_SPEAKERS, SAMPLE_RATE_HZ, SpeakerOptions
from auricle.workers.kinds.speakers.voices.clustering import Labels, Seconds, Vectors, cluster
from auricle.workers.kinds.speakers.voices.known_voices import KnownVoices
from auricle.workers.kinds.speakers.voices.turns import (
    SAMPLE_WEIGHT,
    Scores,
    best_path,
    change_costs,
)

SAME_VOICE_COSINE = 0.57
"""A part of a final that is less similar to every voice so far is a new speaker. On the tuning half
of bench/speakers, values from 0.45 to 0.65 give equally good first labels."""
SAME_VOICES_LIKENESS = 0.7
"""Likeness above which a revision takes groups for one speaker. In a file it is 0.58; the stretches
of finals do not overlap, and fewer are known when a final is sent: with 0.58, two men were one
speaker for the first 15 finals, and telephone calls of two often had one speaker to their end. Half
of the stretches' time with a wrong speaker disappears with 0.7, and no voice is split
(``bench/speakers``, tuning half, 2026-11-30; docs/decisions/148)."""
SAME_UNIT_COSINE = 0.5
"""Adjacent stretches with a higher cosine are clustered as one."""
MIN_NEW_VOICE_S = 1.0
"""Less speech does not show a new speaker."""
MAX_STRETCHES = 240
"""Stretches that a revision may relabel: six minutes of speech, clustered in about 8 ms."""
EARLY_FINALS = 16
REVISION_FINALS = 4
"""Finals between two revisions; the first ``EARLY_FINALS`` have one each."""
FIRST = 0
"""Number of the speaker of the first final."""
MIN_HINT_S = 30.0
"""Before this much speech, fewer speakers than requested may have spoken."""


@dataclass(frozen=True, slots=True, eq=False)
class _Units:
    """Mean vectors of adjacent similar stretches: half as many, clustered in a quarter of the time.

    ``starts`` are the indices of their first stretches, ``counts`` the numbers of stretches.
    """

    means: Vectors
    seconds: Seconds
    counts: Seconds
    starts: Labels

    @classmethod
    def of(cls, vectors: Vectors, seconds: Seconds) -> "_Units":
        starts = [0]
        total = vectors[0]
        for index in range(1, len(vectors)):
            if vectors[index] @ total >= SAME_UNIT_COSINE * np.linalg.norm(total):
                total = total + vectors[index]
            else:
                starts.append(index)
                total = vectors[index]
        counts = np.diff([*starts, len(vectors)]).astype(np.float64)
        means = np.add.reduceat(vectors, starts) / counts[:, None]
        return cls(
            means.astype(np.float32), np.add.reduceat(seconds, starts), counts, np.array(starts)
        )


@dataclass(slots=True, eq=False)
class _Final:
    """A final whose labels may change; the arrays have an element for each stretch."""

    index: int
    stretches: Sequence[Span]
    vectors: Vectors
    seconds: Seconds
    units: _Units
    labels: Labels


@dataclass(frozen=True, slots=True, eq=False)
class _Voices:
    """Mean voices, of unit length, and the numbers of their speakers."""

    numbers: Labels
    means: Vectors

    def scores(self, final: _Final) -> Scores:
        """Return the cosine of each stretch and each voice."""
        return np.asarray(final.vectors @ self.means.T, np.float64)


class SpeakerTracker:
    """Label the speakers of one live session.

    Args:
        options: What is known of the number of speakers.
        known: The voices of an earlier session, whose numbers continue.
    """

    def __init__(self, options: SpeakerOptions, known: KnownVoices | None = None) -> None:
        self._options = options
        self._finals: list[_Final] = []
        # Of older finals, one row or element for each speaker: sums of vectors, their number, and
        # seconds of speech.
        self._sums = np.zeros((MAX_SPEAKERS, 0))
        self._counts = np.zeros(MAX_SPEAKERS)
        self._seconds = np.zeros(MAX_SPEAKERS)
        self._was_archived = np.zeros(MAX_SPEAKERS, np.bool_)
        self._next_index = self._unrevised = 0
        self._has_known = known is not None
        if known is not None:
            self._sums = np.zeros((MAX_SPEAKERS, known.sums.shape[1]))
            self._sums[known.numbers] = known.sums
            self._counts[known.numbers] = known.counts
            self._seconds[known.numbers] = known.seconds
            self._was_archived[known.numbers] = True

    def known_voices(self) -> KnownVoices:
        """Return the voices of all speech so far."""
        sums, counts, seconds = self._sums, self._counts, self._seconds
        if self._finals:
            labels = np.concatenate([final.labels for final in self._finals])
            of_speaker = np.eye(MAX_SPEAKERS)[:, labels]
            sums = sums + of_speaker @ np.concatenate([final.vectors for final in self._finals])
            counts = counts + of_speaker.sum(axis=1)
            spoken = np.concatenate([final.seconds for final in self._finals])
            seconds = seconds + of_speaker @ spoken
        numbers = np.flatnonzero(counts)
        return KnownVoices(
            numbers, sums[numbers].astype(np.float32), counts[numbers], seconds[numbers]
        )

    def label(self, stretches: Sequence[Span], vectors: Vectors) -> tuple[int, ...]:
        """Return the speaker of each stretch of the next final: 0, 1, … by first appearance.

        Args:
            stretches: Parts of the final in order, without overlaps, in samples of the session:
                those of :func:`.cut_live_stretches`, or fewer.
            vectors: Their embeddings, of unit length, shape [stretches, dimensions].
        """
        index, self._next_index = self._next_index, self._next_index + 1
        if not stretches:
            return ()
        if not self._sums.shape[1]:
            self._sums = np.zeros((MAX_SPEAKERS, vectors.shape[1]))
        seconds = np.array([(end - start) / SAMPLE_RATE_HZ for start, end in stretches])
        labels = np.zeros(len(stretches), np.intp)
        final = _Final(index, stretches, vectors, seconds, _Units.of(vectors, seconds), labels)
        voices = self._voices()
        for part in _parts(final, voices):
            sum_of_part = vectors[part].sum(axis=0)
            labels[part] = self._number_of(sum_of_part, float(seconds[part].sum()), voices)
        self._finals.append(final)
        self._unrevised += 1
        self._archive_oldest()
        return tuple(labels.tolist())

    def revise(self) -> Mapping[int, tuple[int, ...]]:
        """Return the labels of earlier finals that have changed, by index of the final.

        Labels are examined after every final at first, later after every few.
        """
        is_due = self._next_index <= EARLY_FINALS or self._unrevised >= REVISION_FINALS
        return self.finish() if is_due else {}

    def finish(self) -> Mapping[int, tuple[int, ...]]:
        """Examine the labels for the last time; return those that change, as :meth:`revise`."""
        if not self._unrevised:
            return {}
        self._unrevised = 0
        old = [final.labels for final in self._finals]
        self._relabel()
        return {
            final.index: tuple(final.labels.tolist())
            for final, labels in zip(self._finals, old, strict=True)
            if not np.array_equal(final.labels, labels)
        }

    def _voices(self) -> _Voices:
        """Return the mean voices of all speakers so far."""
        sums = self._sums.copy()
        for final in self._finals:
            np.add.at(sums, final.labels, final.vectors)
        lengths = np.linalg.norm(sums, axis=1)
        numbers = np.flatnonzero(lengths)
        return _Voices(numbers, (sums[numbers] / lengths[numbers, None]).astype(np.float32))

    def _number_of(self, vector: Vectors, seconds: float, voices: _Voices) -> int:
        """Return the number of a voice, which may be a new one."""
        if not voices.numbers.size:
            return 0
        cosines = voices.means @ vector / np.linalg.norm(vector)
        best = int(cosines.argmax())
        limit = self._options.num_speakers or self._options.max_speakers or MAX_SPEAKERS
        is_new = cosines[best] < SAME_VOICE_COSINE and seconds >= MIN_NEW_VOICE_S
        if is_new and voices.numbers.size < limit:
            return self._unused(voices.numbers)[0]
        return int(voices.numbers[best])

    def _archive_oldest(self) -> None:
        """Keep only the sums of finals that exceed the limit."""
        while len(self._finals) > 1 and sum(len(f.labels) for f in self._finals) > MAX_STRETCHES:
            final = self._finals.pop(0)
            np.add.at(self._sums, final.labels, final.vectors)
            np.add.at(self._counts, final.labels, 1)
            self._was_archived[final.labels] = True
            np.add.at(self._seconds, final.labels, final.seconds)

    def _relabel(self) -> None:
        """Cluster the recent stretches and the older voices, and keep the speakers' numbers."""
        archived = np.flatnonzero(self._counts)
        units = [final.units for final in self._finals]
        means = self._sums[archived] / self._counts[archived, None]
        vectors = np.concatenate([means, *(each.means for each in units)]).astype(np.float32)
        seconds = np.concatenate([self._seconds[archived], *(each.seconds for each in units)])
        counts = np.concatenate([self._counts[archived], *(each.counts for each in units)])
        labels = (final.labels[final.units.starts] for final in self._finals)
        old = np.concatenate([archived, *labels])
        options = self._options
        if seconds.sum() < MIN_HINT_S:
            limit = options.num_speakers or options.max_speakers
            options = SpeakerOptions(max_speakers=limit)
        clusters = cluster(vectors, seconds, options, counts, SAME_VOICES_LIKENESS)
        numbers = self._numbers(clusters.labels, old, seconds)
        for final in self._finals:
            final.labels = _smoothed(final, _Voices(numbers, clusters.centroids))
        self._move_archive(archived, numbers[clusters.labels[: archived.size]])

    def _numbers(self, labels: Labels, old: Labels, seconds: Seconds) -> Labels:
        """Return the number of each cluster: that of the speaker with whom it shares most speech.

        Other clusters get numbers that no cluster has and, if possible, no older final had. Where
        the first voice turns out to be several, the one that spoke first keeps its number.
        """
        common = np.zeros((int(labels.max()) + 1, MAX_SPEAKERS))
        np.add.at(common, (labels, old), seconds)
        if common[labels[0]].argmax() == FIRST:
            common[labels[0], FIRST] = np.inf
        numbers = np.full(len(common), -1)
        while common.max() > 0:
            group, number = np.unravel_index(common.argmax(), common.shape)
            numbers[group] = number
            common[group], common[:, number] = 0, 0
        numbers[numbers < 0] = self._unused(numbers)[: np.count_nonzero(numbers < 0)]
        return numbers

    def _unused(self, numbers: Labels) -> list[int]:
        """Return all other numbers, those first that no older final had."""
        others = set(range(MAX_SPEAKERS)) - set(numbers.tolist())
        return sorted(others, key=lambda number: (self._was_archived[number], number))

    def _move_archive(self, old: Labels, new: Labels) -> None:
        """Give the sums of older finals their speakers' new numbers.

        If that joined voices, they stay as they are in a session that began with known voices.
        These may have spoken for a few seconds only, and their finals, by which later speech could
        separate them again, are those of the earlier session.
        """
        if self._has_known and np.unique(new).size < new.size:
            return
        for sums in (self._sums, self._counts, self._seconds):
            moved = sums[old]
            sums[old] = 0
            np.add.at(sums, new, moved)


def _smoothed(final: _Final, voices: _Voices) -> Labels:
    """Return the most probable speaker of each stretch; changes are rare."""
    gains = voices.scores(final) * (final.seconds * SAMPLE_RATE_HZ * SAMPLE_WEIGHT)[:, None]
    return voices.numbers[best_path(gains, change_costs(final.stretches))]


def _parts(final: _Final, voices: _Voices) -> Iterator[slice]:
    """Divide a final where the known speaker changes."""
    start = 0
    speakers = _smoothed(final, voices).tolist() if voices.numbers.size else [0] * len(final.labels)
    for _, run in groupby(speakers):
        end = start + len(list(run))
        yield slice(start, end)
        start = end
