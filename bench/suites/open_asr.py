"""Word errors with the normaliser and the counter of the Open ASR leaderboard.

Its English normaliser and its scoring (kaldialign, split compounds count as right) are run
unmodified. The clips are not the leaderboard's data sets, which are on a hub: the figures say how
two systems compare, not where they would be in its table.
"""

from bench.lib.charts import Bars, Chart
from bench.lib.scoring import total, word_errors
from bench.suites.clips import Material
from bench.suites.files import CONDITIONS, transcribed
from bench.suites.third_party import Checkout, Json, run_program, version

TITLE = "Word errors by the Open ASR leaderboard's normaliser"
ENVIRONMENT = "suite-open-asr"
CHECKOUT = Checkout(
    "huggingface/open_asr_leaderboard", "d1e99b25524814332d6868a5645e568670834cfb", "normalizer"
)


def measure(material: Material) -> Json:
    """Return word errors of read sentences, of spelled letters and of both."""
    sets = {"read sentences": material.read(), "spelled letters and numbers": material.spelled()}
    texts = {name: list(each.texts) for name, each in transcribed(material).items()}
    figures: Json = {}
    for name, clips in sets.items():
        references = [clip.text for clip in clips]
        systems = {system: each[: len(clips)] for system, each in texts.items()}
        texts = {system: each[len(clips) :] for system, each in texts.items()}
        request = {"references": references, "systems": systems}
        counted = run_program("open_asr", ENVIRONMENT, CHECKOUT.require(), request)
        for system, raw in systems.items():
            own = total([word_errors(*pair) for pair in zip(references, raw, strict=True)])
            counted["systems"][system] |= {
                "raw_texts": raw,
                "wer_percent_by_whisper_normalizer": round(own.percent, 2),
            }
        seconds = round(sum(clip.seconds for clip in clips), 1)
        words = sum(len(text.split()) for text in counted["references"])
        figures[name] = {"clips": len(clips), "seconds": seconds, "words": words} | counted
    return {
        "suite": CHECKOUT.figures() | {"kaldialign": version(ENVIRONMENT, "kaldialign")},
        "run": "the English normaliser and the counting of word errors",
        "not_run": "its data sets, which are on a hub; its runners, which load them",
        "systems": CONDITIONS,
        "sets": figures,
    }


def rows(report: Json) -> list[str]:
    """Return the lines of a table."""
    return [
        f"{system:16} {name:28} {each['wer_percent']:6.2f} %  "
        f"S {each['substitutions']}  I {each['insertions']}  D {each['deletions']}"
        f"  of {figures['words']} words"
        for name, figures in report["sets"].items()
        for system, each in figures["systems"].items()
    ]


def charts(report: Json) -> list[Chart]:
    """Return word errors by set."""
    series = {
        system: [figures["systems"][system]["wer_percent"] for figures in report["sets"].values()]
        for system in CONDITIONS
    }
    return [Bars("word errors, %", list(report["sets"]), series)]
