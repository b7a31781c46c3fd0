"""OpenBench's confirmed streaming latency, streaming latency and corrections.

Its metrics are run unmodified, with what servers sent in the form of its pipelines: an interim
result is the confirmed text and the present partial, a confirmed one the text of all finals; the
audio cursor is the audio that was sent before a result came, in seconds. Its data set and its
pipelines, which need a hub and vendors' keys, are not run.
"""

from bisect import bisect_right

from auricle.cli.bench.stream import Played
from auricle.values.types import SAMPLE_RATE_HZ
from bench.lib.charts import Bars, Chart
from bench.suites.clips import Material
from bench.suites.streams import SYSTEMS, Stream, played_streams
from bench.suites.third_party import Checkout, Json, run_program, version

TITLE = "OpenBench: latency and corrections of live streams"
ENVIRONMENT = "suite-openbench"
CHECKOUT = Checkout("argmaxinc/OpenBench", "ca95a2b74517a05ee907858e8f91ed44e57b15e2", "src")
LATENCIES = {
    "confirmed streaming latency, s": "confirmed_streaming_latency_s",
    "streaming latency, s": "streaming_latency_s",
}
CORRECTIONS = ("deletions", "substitutions", "insertions")


def cursor_s(played: Played, at_s: float) -> float:
    """Return how much audio was sent before this time, in seconds."""
    return bisect_right(played.sent_at_s, at_s) * played.step_samples / SAMPLE_RATE_HZ


def sample_of(stream: Stream) -> Json:
    """Return a stream as OpenBench's pipelines return it, with the words of its reference."""
    confirmed = ""
    results: Json = {
        "interim_results": [],
        "audio_cursor": [],
        "confirmed_interim_results": [],
        "confirmed_audio_cursor": [],
    }
    for caption in stream.captions:
        if not caption.text.strip():
            continue
        text = f"{confirmed} {caption.text.strip()}"
        prefix = "confirmed_" if caption.is_final else ""
        results[f"{prefix}interim_results"].append(text)
        results[f"{prefix}audio_cursor"].append(cursor_s(stream.played, caption.at_s))
        if caption.is_final:
            confirmed = text
    return results | {"words": [(word.text, word.start_s, word.end_s) for word in stream.words]}


def measure(material: Material) -> Json:
    """Return OpenBench's figures of each server."""
    streams = played_streams(material)
    samples = {name: [sample_of(each) for each in several] for name, several in streams.items()}
    imports = CHECKOUT.require() / "src"
    figures = run_program("openbench", ENVIRONMENT, imports, {"systems": samples})
    for name, several in samples.items():
        figures[name] |= {
            "partials": sum(len(sample["interim_results"]) for sample in several),
            "finals": sum(len(sample["confirmed_interim_results"]) for sample in several),
        }
    auricle = streams["auricle"]
    return {
        "suite": CHECKOUT.figures() | {"jiwer": version(ENVIRONMENT, "jiwer")},
        "run": "the metrics of streaming transcription",
        "not_run": "its data set (TIMIT), and its pipelines of vendors, which need keys",
        "conditions": SYSTEMS,
        "streams": len(auricle),
        "seconds": [round(stream.talk.seconds, 1) for stream in auricle],
        "words": sum(len(list(stream.words)) for stream in auricle),
        "systems": figures,
    }


def rows(report: Json) -> list[str]:
    """Return the lines of a table."""
    return [
        f"{name:18} confirmed {_seconds(each['confirmed_streaming_latency_s'])}  interim "
        f"{_seconds(each['streaming_latency_s'])}  corrections "
        + "  ".join(f"{kind[0].upper()} {each[f'corrections_{kind}']}" for kind in CORRECTIONS)
        for name, each in report["systems"].items()
    ]


def _seconds(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f} s"


def charts(report: Json) -> list[Chart]:
    """Return latencies and corrections of each server."""
    systems = report["systems"]
    latencies = {
        name: [each[key] or 0.0 for key in LATENCIES.values()] for name, each in systems.items()
    }
    corrections = {
        name: [each[f"corrections_{kind}"] for kind in CORRECTIONS]
        for name, each in systems.items()
    }
    return [
        Bars("latency", list(LATENCIES), latencies),
        Bars("corrections of interim results, words", list(CORRECTIONS), corrections),
    ]
