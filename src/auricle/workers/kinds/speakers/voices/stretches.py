"""Cut speech into short overlapping stretches, each of which gets one speaker embedding; no I/O.

::

    voiced     ··████·██████████████████······████··
    regions      └──────────────────────┘      └──┘     holes shorter than 0.25 s are filled
    stretches    └───────┘   └───────┘         └──┘     1.5 s, one every second
                     └───────┘   └─────┘
"""

import itertools
from collections.abc import Sequence

from auricle.values.speakers import Span
from auricle.values.types import SAMPLE_RATE_HZ

STRETCH_SAMPLES = SAMPLE_RATE_HZ * 3 // 2
"""Usual in diarization: shorter ones separate speakers less well, longer ones blur changes."""
HOP_SAMPLES = SAMPLE_RATE_HZ
"""One every 0.75 s costs a third more CPU time and improves nothing (docs/decisions/089); stretches
without overlap cost a fifth less, and give 0.2 points more time to the wrong speaker."""
MIN_STRETCH_SAMPLES = SAMPLE_RATE_HZ * 3 // 10
"""A shorter sound gets no embedding; its words belong to the nearest turn."""
MAX_HOLE_SAMPLES = SAMPLE_RATE_HZ // 4


def cut_stretches(voiced: Sequence[Span]) -> tuple[Span, ...]:
    """Return the stretches of speech to embed, in order of their start.

    Args:
        voiced: Where there is speech, in order, without overlaps.
    """
    stretches: list[Span] = []
    for start, end in join_spans(voiced, MAX_HOLE_SAMPLES):
        length = end - start
        if length < MIN_STRETCH_SAMPLES:
            continue
        if length <= STRETCH_SAMPLES:
            stretches.append((start, end))
            continue
        hops = max(1, round((length - STRETCH_SAMPLES) / HOP_SAMPLES))
        for index in range(hops + 1):
            at = start + (length - STRETCH_SAMPLES) * index // hops
            stretches.append((at, at + STRETCH_SAMPLES))
    return tuple(stretches)


def cut_live_stretches(voiced: Sequence[Span]) -> tuple[Span, ...]:
    """Return the stretches of a live final to embed, in order; they don't overlap.

    That costs half as much as overlapping ones. They are 0.3 to 2.25 s long.

    Args:
        voiced: Where there is speech in the final, in order, without overlaps.
    """
    stretches: list[Span] = []
    for start, end in join_spans(voiced, MAX_HOLE_SAMPLES):
        if end - start >= MIN_STRETCH_SAMPLES:
            parts = max(1, round((end - start) / STRETCH_SAMPLES))
            edges = [start + (end - start) * part // parts for part in range(parts + 1)]
            stretches += itertools.pairwise(edges)
    return tuple(stretches)


def join_spans(spans: Sequence[Span], max_hole_samples: int) -> list[Span]:
    """Return the spans with shorter holes between them filled."""
    joined: list[Span] = []
    for start, end in spans:
        if joined and start - joined[-1][1] < max_hole_samples:
            start = joined.pop()[0]
        joined.append((start, end))
    return joined
