"""Computes OpenBench's metrics of streaming transcription from what servers sent.

The modules of the metrics are OpenBench's own. Its package imports all pipelines and metrics, hence
NeMo and PyTorch; so its packages are declared here without running their ``__init__``. The only
name that the metrics use of ``argmaxtools`` is ``get_logger``.
"""

import importlib.util
import json
import logging
import sys
from pathlib import Path
from types import ModuleType


def package(name, path=None):
    module = ModuleType(name)
    module.__path__ = [] if path is None else [str(path)]
    sys.modules[name] = module
    return module


sources = Path(importlib.util.find_spec("openbench").submodule_search_locations[0])
package("argmaxtools")
package("argmaxtools.utils").get_logger = logging.getLogger
package("openbench", sources)
package("openbench.metric", sources / "metric")
metric = importlib.import_module("openbench.metric.metric")
sys.modules["openbench.metric"].MetricOptions = metric.MetricOptions
metrics = importlib.import_module("openbench.metric.streaming_latency_metrics")
predictions = importlib.import_module("openbench.pipeline_prediction")

COUNTED = {
    "corrections_deletions": metrics.NumDeletions,
    "corrections_substitutions": metrics.NumSubstitutions,
    "corrections_insertions": metrics.NumInsertions,
}


def figures(samples):
    """Return the metrics over all samples of a system."""
    confirmed, interim = metrics.ConfirmedStreamingLatency(), metrics.StreamingLatency()
    counted = {name: kind() for name, kind in COUNTED.items()}
    for sample in samples:
        words, starts, ends = zip(*sample["words"], strict=True)
        reference = predictions.Transcript.from_words_info(list(words), list(starts), list(ends))
        hypothesis = predictions.StreamingTranscript(
            transcript=(sample["confirmed_interim_results"] or [""])[-1],
            **{name: value for name, value in sample.items() if name != "words"},
        )
        for each in (confirmed, interim, *counted.values()):
            each(reference, hypothesis)
    return {
        "confirmed_streaming_latency_s": abs(confirmed),
        "streaming_latency_s": abs(interim),
        **{name: abs(each) for name, each in counted.items()},
    }


request = json.load(sys.stdin)
print(json.dumps({name: figures(samples) for name, samples in request["systems"].items()}))
