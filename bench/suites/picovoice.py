"""Picovoice's core-hours and word emission latency, by their published definitions.

Core-hours: CPU hours for one hour of audio, with one thread. Word emission latency: the average
delay from the point at which a word has been spoken to the emission of its transcription, over the
words of the reference that were transcribed correctly, after alignment by edit distance. As its
engines do for services that revise partials, a word counts from its last change; here the finals
say where the next part of the text begins.

Its own engines need vendors' keys or weights that no package index has, and its data sets are not
here; so nothing of its code is run.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jiwer
import numpy as np

from bench.lib.charts import Bars, Chart
from bench.lib.scoring import words
from bench.live.play import Caption
from bench.suites.clips import Material
from bench.suites.files import CONDITIONS, transcribed
from bench.suites.streams import SYSTEMS, Stream, played_streams
from bench.suites.third_party import Json

TITLE = "Picovoice's measures: core-hours and word emission latency"
TIMES: tuple[tuple[str, Callable[[Sequence[float]], Any]], ...] = (
    ("mean_ms", np.mean),
    ("p50_ms", partial(np.percentile, q=50)),
    ("p95_ms", partial(np.percentile, q=95)),
)


class Emitted(NamedTuple):
    """A word, and when it last changed, in seconds."""

    word: str
    at_s: float


@dataclass(frozen=True, slots=True)
class Latencies:
    """Delays of correctly transcribed words, in seconds, and how many words were spoken."""

    delays_s: list[float]
    spoken: int


def emitted(captions: Sequence[Caption]) -> Iterator[Emitted]:
    """Yield the words that stand at the end, with the time of their last change.

    A partial that no final follows counts, as in WhisperLive's own client. Words beyond those of a
    final keep their times if the next caption begins with them.
    """
    previous: list[Emitted] = []
    for caption in captions:
        said = words(caption.text)
        kept = [
            old if old is not None and old.word == word else Emitted(word, caption.at_s)
            for word, old in zip(said, [*previous, *[None] * len(said)], strict=False)
        ]
        if caption.is_final:
            yield from kept
            previous = previous[len(said) :]
        else:
            previous = kept
    if captions and not captions[-1].is_final:
        yield from previous


def latencies(stream: Stream) -> Latencies:
    """Return the delays of one stream's words."""
    spoken = [
        Emitted(token, stream.played.sent(word.end_s))
        for word in stream.words
        for token in words(word.text)
    ]
    received = list(emitted(stream.captions))
    aligned = jiwer.process_words(
        " ".join(each.word for each in spoken), " ".join(each.word for each in received)
    ).alignments[0]
    delays_s = [
        received[chunk.hyp_start_idx + offset].at_s - spoken[chunk.ref_start_idx + offset].at_s
        for chunk in aligned
        if chunk.type == "equal"
        for offset in range(chunk.ref_end_idx - chunk.ref_start_idx)
    ]
    return Latencies(delays_s, len(spoken))


def measure(material: Material) -> Json:
    """Return core-hours of files and the word emission latency of live streams."""
    audio_s = sum(clip.seconds for clip in [*material.read(), *material.spelled()])
    core_hours = {
        name: {
            "core_hours": round(each.cpu_s / audio_s, 4),
            "seconds_for_each_second": round(each.seconds / audio_s, 4),
        }
        for name, each in transcribed(material).items()
    }
    emission = {
        name: _figures([latencies(stream) for stream in several])
        for name, several in played_streams(material).items()
    }
    return {
        "suite": {
            "repository": "https://github.com/Picovoice/speech-to-text-benchmark",
            "commit": "59b7909715cd0827ca4e5e6ad8493ac494679d94",
        },
        "run": "its definitions",
        "not_run": "its code: its engines need keys or weights, its data sets are not here",
        "core_hours": {
            "seconds": round(audio_s, 1),
            "conditions": CONDITIONS,
            "systems": core_hours,
        },
        "word_emission": {"conditions": SYSTEMS, "systems": emission},
    }


def _figures(several: Sequence[Latencies]) -> Json:
    delays_ms = [1000 * delay_s for each in several for delay_s in each.delays_s]
    spoken = sum(each.spoken for each in several)
    return {
        **{name: round(float(figure(delays_ms))) if delays_ms else None for name, figure in TIMES},
        "words": spoken,
        "right_percent": round(100 * len(delays_ms) / spoken, 1),
    }


def rows(report: Json) -> list[str]:
    """Return the lines of a table."""
    return [
        *(
            f"{name:18} {each['core_hours']:.3f} core-hours"
            for name, each in report["core_hours"]["systems"].items()
        ),
        *(
            f"{name:18} word emission {each['mean_ms']} ms (p50 {each['p50_ms']}, p95 "
            f"{each['p95_ms']}), {each['right_percent']} % of {each['words']} words"
            for name, each in report["word_emission"]["systems"].items()
        ),
    ]


def charts(report: Json) -> list[Chart]:
    """Return a chart for each measure."""
    hours = report["core_hours"]["systems"]
    emission = report["word_emission"]["systems"]
    return [
        Bars("core-hours", ["files"], {name: [each["core_hours"]] for name, each in hours.items()}),
        Bars(
            "word emission latency, ms",
            ["mean", "p50", "p95"],
            {
                name: [each[time] for time, _ in TIMES]
                for name, each in emission.items()
                if each["mean_ms"] is not None
            },
        ),
    ]
