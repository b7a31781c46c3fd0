"""Run the gate, or what is verified apart from it; needs only Python 3.11 or newer.

- ``python3 -m gate``: all stages of the gate, as .ci/run does
- ``python3 -m gate verify``: the stages of ``make verify`` that this commit has not had
- ``python3 -m gate verify clients chaos``: these stages, in any case
"""

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from shutil import rmtree

from gate import record
from gate.running import ROOT, Result, Runner
from gate.stages import GATE, VERIFY, Stage
from gate.summary import summary, tail, write_json

FOLDER = ROOT / ".cache/gate"
YARDSTICK = """
import asyncio
from auricle.cli.bench.yardstick import measure_yardstick
from auricle.config.settings import Settings
print(asyncio.run(measure_yardstick(Settings.load(), rounds=2)).speed)
"""


def main() -> int:
    """Run what the command line asks for; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="gate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="?", choices=("gate", "verify"), default="gate")
    parser.add_argument("--no-browser", action="store_true", help="leave out what needs Chromium")
    parser.add_argument("stages", nargs="*", metavar="STAGE", help="of verify: these only")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no stage is left running
    if arguments.what == "verify":
        return verify(arguments.stages)
    if arguments.stages:
        parser.error("the gate is run as a whole")
    return gate(with_browser=not arguments.no_browser)


def gate(*, with_browser: bool) -> int:
    """Run all stages of the gate, then what depends on real time and failed once more."""
    folder = _empty(FOLDER / "gate")
    runner = Runner(folder)
    results: list[Result] = []
    yardstick = 0.0
    for group in GATE:
        stages = [stage for stage in group if with_browser or "browser" not in stage.name]
        results += runner.run(stages, results)
        yardstick = yardstick or measure_yardstick()
    results = runner.try_again(results)
    for result in results:
        if not result.passed:
            print(tail(result))
    print(summary(results, yardstick))
    write_json(folder / "summary.json", results, commit(), yardstick)
    return not all(result.passed for result in results)


def verify(names: Sequence[str]) -> int:
    """Run stages one after another, each with its row in ``docs/benchmarks/verify.json``."""
    by_name = {stage.name: stage for stage in VERIFY}
    if unknown := set(names) - by_name.keys():
        print(f"verify: no stage {', '.join(sorted(unknown))}: {', '.join(by_name)}")
        return 2
    version = commit()
    setup, *others = VERIFY
    todo = [by_name[name] for name in names] or [
        stage for stage in others if not record.is_done(record.read(), stage.name, version)
    ]
    runner = Runner(_empty(FOLDER / "verify"))
    results = runner.run([setup], [])
    for stage in todo:
        if stage != setup:
            results += _verified(runner, stage, results, version)
    print(summary(results, 0.0))
    return not all(result.passed for result in results)


def _verified(runner: Runner, stage: Stage, before: Sequence[Result], version: str) -> list[Result]:
    yardstick = measure_yardstick()
    results = runner.try_again(runner.run([stage], before))
    for result in results:
        if not result.passed:
            print(tail(result))
        today = time.strftime("%Y-%m-%d", time.gmtime())
        row = record.row_of(result, version, today, yardstick)
        record.write(record.add(record.read(), stage.name, row))
    return results


def measure_yardstick() -> float:
    """Return how fast this machine is now; 0 if that can't be measured."""
    done = subprocess.run(
        [ROOT / ".venv/bin/python", "-c", YARDSTICK],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return float(done.stdout) if done.returncode == 0 else 0.0


def commit() -> str:
    """Return the newest commit of anything but docs; ``-dirty`` if files were changed since."""
    code = ("--", ".", ":!docs")
    newest = _git("log", "-1", "--format=%h", "--abbrev=8", *code)
    return f"{newest}-dirty" if _git("status", "--porcelain", *code) else newest


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()


def _empty(folder: Path) -> Path:
    rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


if __name__ == "__main__":
    sys.exit(main())
