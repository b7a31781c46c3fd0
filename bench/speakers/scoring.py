"""Scores turns of conversations with :mod:`.scorer`, in its own environment."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from auricle.values.types import SAMPLE_RATE_HZ
from auricle.workers.kinds.speakers.voices.turns import Turn
from bench.lib.report import ROOT
from bench.speakers.conversations import Conversation, SpokenTurn

SCORER = ROOT / "bench/speakers/scorer.py"
SCORER_PYTHON = ROOT / ".cache/env/speakers/bin/python"
SCORER_TIMEOUT_S = 600


def scored(
    rows: Sequence[tuple[Conversation, Mapping[str, Sequence[Turn]]]],
) -> list[dict[str, dict[str, Any]]]:
    """Return the scores of each system in each conversation."""
    if not SCORER_PYTHON.is_file():
        raise SystemExit("Run: make .cache/env/speakers/ready")
    asked = [
        {
            "reference": _seconds(conversation.turns),
            "hypotheses": {system: _seconds(turns) for system, turns in found.items()},
        }
        for conversation, found in rows
    ]
    done = subprocess.run(
        [str(SCORER_PYTHON), str(SCORER)],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
        timeout=SCORER_TIMEOUT_S,
    )
    scores: list[dict[str, dict[str, Any]]] = json.loads(done.stdout)
    return scores


def _seconds(turns: Sequence[Turn | SpokenTurn]) -> list[tuple[float, float, str]]:
    return [
        (turn.start_sample / SAMPLE_RATE_HZ, turn.end_sample / SAMPLE_RATE_HZ, f"{turn.speaker}")
        for turn in turns
    ]
