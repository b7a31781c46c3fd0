"""Counts word errors as the Open ASR leaderboard's ``score_results`` does for English."""

import json
import sys

from kaldialign import batch_error_rate
from normalizer import EnglishTextNormalizer

normalize = EnglishTextNormalizer()
request = json.load(sys.stdin)
references = [normalize(text) for text in request["references"]]
answer = {"references": references, "systems": {}}
for name, texts in request["systems"].items():
    predictions = [normalize(text) for text in texts]
    counted = batch_error_rate(
        [tuple(text.split()) for text in references],
        [tuple(text.split()) for text in predictions],
        merge_compounds=True,
    )
    answer["systems"][name] = {
        "wer_percent": round(100 * counted["err_rate"], 2),
        "insertions": counted["ins"],
        "deletions": counted["del"],
        "substitutions": counted["sub"],
        "texts": predictions,
    }
print(json.dumps(answer))
