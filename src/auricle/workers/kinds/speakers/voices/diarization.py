"""Find who speaks when in a recording; no I/O.

:func:`diarize` is a pure function of the voiced ranges, the embeddings and the options.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from auricle.values.speakers import Span
from auricle.values.types import SAMPLE_RATE_HZ, Segment, Speaker, SpeakerOptions
from auricle.workers.kinds.speakers.voices.clustering import cluster
from auricle.workers.kinds.speakers.voices.names import Reference, match_names
from auricle.workers.kinds.speakers.voices.turns import Turn, find_turns
from auricle.workers.kinds.speakers.voices.words import assign_speakers


@dataclass(frozen=True, slots=True)
class Turns:
    """Who speaks when in a recording.

    Attributes:
        turns: In order of time, without overlaps.
        speakers: All speakers, in order of their numbers.
        voices: Their mean voices, of unit length, shape [dimensions].
    """

    turns: tuple[Turn, ...] = ()
    speakers: tuple[Speaker, ...] = ()
    voices: tuple[npt.NDArray[np.float32], ...] = field(default=(), compare=False)

    def assigned_to(self, segments: Sequence[Segment]) -> tuple[Segment, ...]:
        """Return the segments with speakers; one with words of several speakers is split."""
        return assign_speakers(segments, self.turns)


def diarize(
    voiced: Sequence[Span],
    stretches: Sequence[Span],
    vectors: npt.NDArray[np.float32],
    options: SpeakerOptions,
    references: Sequence[Reference] = (),
) -> Turns:
    """Return who speaks when; no turns if there are no stretches.

    Takes about a second for an hour of speech.

    Args:
        voiced: Where there is speech, in samples, in order, without overlaps.
        stretches: The parts of it that were embedded, in order of their start: those of
            :func:`.cut_stretches`, or fewer if some failed.
        vectors: Their embeddings, of unit length, shape [stretches, dimensions].
        options: What is known of the number of speakers.
        references: Named voices.
    """
    if not stretches:
        return Turns()
    ends = [0, *(end for _, end in stretches)]  # overlapping speech counts once
    seconds = [
        (end - max(start, before)) / SAMPLE_RATE_HZ
        for (start, end), before in zip(stretches, ends, strict=False)
    ]
    clusters = cluster(vectors, seconds, options)
    names = match_names(clusters.centroids, references)
    turns = find_turns(voiced, stretches, (vectors @ clusters.centroids.T).astype(np.float64))
    return _numbered(turns, names, clusters.centroids)


def _numbered(
    turns: Sequence[Turn], names: Sequence[str | None], voices: npt.NDArray[np.float32]
) -> Turns:
    """Return the turns with speakers numbered by first appearance."""
    numbers: dict[int, int] = {}
    renumbered = []
    for turn in turns:
        number = numbers.setdefault(turn.speaker, len(numbers))
        renumbered.append(Turn(turn.start_sample, turn.end_sample, number, turn.confidence))
    speakers = tuple(Speaker(number, names[old]) for old, number in numbers.items())
    return Turns(tuple(renumbered), speakers, tuple(voices[list(numbers)]))
