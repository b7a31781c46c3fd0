"""Score turns with pyannote.metrics; runs in its own environment (``.cache/env/speakers``).

Reads JSON from stdin: a list of ``{"reference": turns, "hypotheses": {name: turns}}`` with turns
``[start_s, end_s, speaker]``. Writes a list of ``{name: {...}}`` with shares of the time of speech:
``der`` (no collar, overlaps scored) and its parts, ``der_collar`` (0.25 s on each side of a
border), ``jer``, and the mapping from found to true speakers.
"""

import json
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from pyannote.core import Annotation, Segment
from pyannote.metrics.diarization import DiarizationErrorRate, JaccardErrorRate

COLLAR_S = 0.25
Turns = Sequence[tuple[float, float, str]]


def annotation(turns: Turns) -> Any:
    found = Annotation()
    for track, (start_s, end_s, speaker) in enumerate(turns):
        found[Segment(start_s, end_s), track] = speaker
    return found


def score(reference: Turns, hypothesis: Turns) -> dict[str, Any]:
    true, found = annotation(reference), annotation(hypothesis)
    metric = DiarizationErrorRate()
    parts = metric(true, found, detailed=True)
    total_s = parts["total"]
    return {
        "der": parts["diarization error rate"],
        "missed": parts["missed detection"] / total_s,
        "false_alarm": parts["false alarm"] / total_s,
        "confusion": parts["confusion"] / total_s,
        # pyannote's collar is the sum of both sides.
        "der_collar": DiarizationErrorRate(collar=2 * COLLAR_S)(true, found),
        "jer": JaccardErrorRate()(true, found),
        "mapping": metric.optimal_mapping(true, found),
    }


def main() -> None:
    warnings.simplefilter("ignore")  # about the extent of what is scored
    results = [
        {name: score(each["reference"], turns) for name, turns in each["hypotheses"].items()}
        for each in json.load(sys.stdin)
    ]
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
