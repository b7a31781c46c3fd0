"""Measure the work of live streams on a simulated clock, and compare it with the committed figures.

    python -m bench.work                 compare; exits with 1 if a figure is worse by more than 5 %
    python -m bench.work --update        write the figures; say why in the commit
    python -m bench.work --demonstrate   show what the guard reports for known mistakes

The figures of 1, 8, 16 and 24 speakers take some seconds. They are the same on every machine:
sessions, schedulers and load meter are the server's own, time is simulated, and jobs take the time
that was measured once (``costs.json``). A test compares them in CI.
"""

import argparse
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from unittest.mock import patch

from auricle.audio.endpointer import EndpointRules
from auricle.values.types import JobKind
from auricle.workers.kinds.asr.scheduler import Scheduler
from bench.work.figures import STREAMS, measure, worse
from bench.work.speech import recorded

LONG_PAUSE_MS = 192
EXPECTED = Path(__file__).with_name("expected.json")


class WithoutRoom(Scheduler):
    """Optional work starts as soon as a worker is idle, as at commit 4b2b4df2."""

    def _leaves_room(self, kind: JobKind) -> bool:
        return True


class WithoutBatches(Scheduler):
    """Each job is a batch."""

    def _companions(self, first: object, now: float) -> list[object]:  # type: ignore[override]
        return []


def figures(scheduler: type[Scheduler] = Scheduler) -> dict[str, dict[str, float]]:
    """Return the figures of all numbers of speakers."""
    clips = recorded()
    return {str(streams): measure(clips, streams, scheduler) for streams in STREAMS}


def before_4b2b4df2() -> dict[str, dict[str, float]]:
    """Return the figures with the pauses of the commit before 4b2b4df2, which made them 96 ms."""
    rules = partial(EndpointRules, post_roll_ms=LONG_PAUSE_MS, speculate_ms=LONG_PAUSE_MS)
    with patch("auricle.session.channels.EndpointRules", rules):
        return figures(WithoutRoom)


def expected() -> Mapping[str, Mapping[str, float]]:
    """Return the committed figures."""
    committed: Mapping[str, Mapping[str, float]] = json.loads(EXPECTED.read_text())
    return committed


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--demonstrate", action="store_true")
    arguments = parser.parse_args()
    now = figures()
    for name in next(iter(now.values())):
        print(f"{name:22}" + "".join(f"{now[str(n)][name]:>10g}" for n in STREAMS))
    if arguments.update:
        EXPECTED.write_text(json.dumps(now, indent=1) + "\n")
        return
    if arguments.demonstrate:
        without_room = figures(WithoutRoom)
        for mistake, lines in (
            ("commit 4b2b4df2", worse(before_4b2b4df2(), without_room)),
            ("optional work leaves no worker free", worse(now, without_room)),
            ("no batches", worse(now, figures(WithoutBatches))),
        ):
            print(f"\n{mistake}:")
            print("\n".join(lines) or "nothing is worse")
        return
    if lines := worse(expected(), now):
        print("\nWorse by more than 5 %; `python -m bench.work --update` accepts it:")
        print("\n".join(lines))
        raise SystemExit(1)


if __name__ == "__main__":
    main()
