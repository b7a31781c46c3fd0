"""Run suites of other projects with Auricle and a peer, one after another.

    make suites ARGS="[NAME ...] [--model DIR] [--corpus DIR] [--clips 40] [--seconds 45]
        [--out docs/benchmarks/suites]"

A name is ``wyoming``, ``pipecat``, ``openbench``, ``picovoice`` or ``open_asr``; default: all. Each
writes a JSON and an SVG of its name to the folder. Times need a machine that is otherwise idle.
"""

import os
import time
from importlib import import_module
from pathlib import Path

from bench.compare.__main__ import bundled_model
from bench.lib.report import command_line, machine, publish
from bench.lib.speech import CORPUS
from bench.suites.clips import Material
from bench.suites.third_party import printed

SUITES = ("wyoming", "pipecat", "openbench", "picovoice", "open_asr")


def main() -> None:
    parser = command_line(__doc__, "suites")
    parser.add_argument("names", nargs="*", choices=[*SUITES, []], default=[], metavar="NAME")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=45.0)
    options = parser.parse_args()
    model = options.model or bundled_model()
    material = Material(model, options.corpus, options.clips, options.seconds)
    print(machine(), flush=True)
    for name in options.names or SUITES:
        suite = import_module(f"bench.suites.{name}")
        began_at, load_before = time.monotonic(), round(os.getloadavg()[0], 2)
        report = suite.measure(material)
        took = {
            "commit": printed("git", "rev-parse", "HEAD"),
            "command": f'make suites ARGS="{name} --corpus CORPUS '
            f'--clips {options.clips} --seconds {options.seconds:g}"',
            "load_before": load_before,
            "took_s": round(time.monotonic() - began_at),
        }
        print(f"{suite.TITLE} ({took['took_s']} s)", *suite.rows(report), sep="\n", flush=True)
        publish(options.out / name, took | report, suite.TITLE, suite.charts(report))


if __name__ == "__main__":
    main()
