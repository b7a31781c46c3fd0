"""``wyoming-bench``, unmodified, with Auricle and with wyoming-faster-whisper.

Both have the same model in int8 and the same clips, and receive audio as fast as it can be sent.
The second mode, in which a transcript is sent in parts, is tried only with a server that announces
it, which the peer does not.
"""

from bench.lib.charts import Bars, Chart
from bench.lib.service import free_port, running
from bench.suites.clips import Material
from bench.suites.peers import condition, peer
from bench.suites.third_party import Json, version
from bench.suites.wyoming_bench import ENVIRONMENT, run_bench

TITLE = "wyoming-bench"
PEER = "wyoming-faster-whisper"
OPTIONS = ("--mode", "both")


def measure(material: Material) -> Json:
    """Return the figures of both servers."""
    clips, port = material.read(), free_port()
    with running(engine="whisper", model=material.model, wyoming=1, wyoming_port=port):
        auricle = run_bench(f"127.0.0.1:{port}", clips, OPTIONS)
    with peer(PEER, material.model) as server:
        other = run_bench(f"127.0.0.1:{server.address[1]}", clips, OPTIONS)
    return {
        "suite": {"wyoming-bench": version(ENVIRONMENT, "wyoming-bench")},
        "run": "all of it, with the clips of the corpus",
        "conditions": {
            "auricle": "auricle serve with AURICLE_WYOMING=1",
            PEER: condition(PEER),
        },
        "systems": {"auricle": auricle, PEER: other},
    }


def rows(report: Json) -> list[str]:
    """Return the lines of a table."""
    return [
        f"{name:24} {mode:14} {each['mean_total_ms']:7.0f} ms for {each['mean_clip_s']} s  "
        f"WER {each['wer_percent']} %  failed {each['failed']} of {each['clips']}"
        for name, system in report["systems"].items()
        for mode, each in system["modes"].items()
    ]


def charts(report: Json) -> list[Chart]:
    """Return times and word errors in the modes that both servers have."""
    systems = report["systems"]
    modes = [mode for mode in systems[PEER]["modes"] if mode in systems["auricle"]["modes"]]

    def bars(title: str, figure: str) -> Bars:
        values = {
            name: [system["modes"][mode][figure] for mode in modes]
            for name, system in systems.items()
        }
        return Bars(title, modes, values)

    return [
        bars("mean time for a clip, ms", "mean_total_ms"),
        bars("word errors, %", "wer_percent"),
    ]
