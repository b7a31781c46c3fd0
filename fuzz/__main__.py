"""Fuzz all targets, each in a separate process: ``make fuzz ARGS="--runs 2000000"``.

The corpus lies in ``.cache/fuzz/corpus`` and grows from run to run; an input that breaks a target
is left in ``.cache/fuzz/found``. For each target it prints how many inputs were tried, how fast,
how many showed something new, and how many lines of the target's modules all of them reach.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import platform
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.lib.report import machine, write_json
from fuzz.target import TARGETS, inputs, load

CACHE = Path(".cache/fuzz")
RESULTS = Path("bench/results/fuzz.json")

INPUT_LIMIT_S = 120
"""Elapsed time for one input, on a busy machine too: the process hangs in C code. Python code is
bounded by its CPU time (:mod:`fuzz.cpu`)."""
RSS_LIMIT_MB = 1024

_STAT = re.compile(r"^stat::(\w+): +(\d+)$", re.MULTILINE)
_COVERAGE = re.compile(r" cov: (\d+) ft: (\d+) corp: (\d+)")


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one target.

    Attributes:
        target: Its name.
        executions: How many inputs it was fed.
        wall_s: How long that took, on a machine that others may have used too.
        cpu_s: CPU time of the process.
        new: Inputs that reached something that none had reached before.
        edges: Branches reached, as libFuzzer counts them.
        lines: Lines of its modules.
        reached: How many of them the whole corpus reaches.
        missed: The others, by file.
        loop_cpu_s: CPU time of the slowest of the largest inputs, if the event loop reads them.
        failure: The last lines that it left if it broke; the input is in ``.cache/fuzz/found``.
    """

    target: str
    executions: int
    wall_s: float
    cpu_s: float
    new: int
    edges: int
    lines: int
    reached: int
    missed: dict[str, list[int]]
    loop_cpu_s: float | None
    failure: str | None


def main() -> int:
    """Run what was asked for."""
    asked = _arguments()
    if importlib.util.find_spec("atheris") is None:
        print(f"fuzz: skipped: there is no atheris for this Python on {platform.machine()}")
        return 0
    for folder in ("corpus", "found"):
        (CACHE / folder).mkdir(parents=True, exist_ok=True)
    print(
        f"{'target':16} {'executions':>10} {'per CPU s':>9} {'new':>6} {'edges':>6}  "
        f"{'lines reached':13} longest"
    )
    results = []
    with ThreadPoolExecutor(asked.jobs) as pool:
        for result in pool.map(lambda name: _fuzz(name, asked), asked.target):
            results.append(result)
            _show(result)
    broken = [result.target for result in results if result.failure is not None]
    executions = sum(result.executions for result in results)
    print(f"{executions} executions, {len(broken)} of {len(results)} targets broken")
    write_json(RESULTS, {"machine": machine(), "targets": [asdict(result) for result in results]})
    return bool(broken)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make fuzz", description="Feed wrong bytes to all targets."
    )
    parser.add_argument("--target", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--runs", type=int, default=2_000_000, help="inputs for each (2000000)")
    parser.add_argument(
        "--seconds", type=int, default=0, help="CPU time after which each stops (no limit)"
    )
    parser.add_argument("--no-lines", dest="lines", action="store_false", help="don't count lines")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="targets at once")
    return parser.parse_args()


def _fuzz(name: str, asked: argparse.Namespace) -> Result:
    corpus = CACHE / "corpus" / name
    _plant(name, corpus)
    began_at = time.monotonic()
    worker = subprocess.Popen(
        [
            *(sys.executable, "-m", "fuzz.worker", name, str(asked.seconds), str(corpus)),
            *(f"-runs={asked.runs}", f"-timeout={INPUT_LIMIT_S}", "-handle_usr1=1"),
            *(f"-rss_limit_mb={RSS_LIMIT_MB}", f"-artifact_prefix={CACHE}/found/{name}-"),
            *("-print_final_stats=1", "-len_control=100", *_dictionary(name)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    assert worker.stdout is not None
    with worker.stdout:
        output = worker.stdout.read()
    _, status, usage = os.wait4(worker.pid, 0)
    worker.returncode = os.waitstatus_to_exitcode(status)
    wall_s = time.monotonic() - began_at
    stats = {key: int(value) for key, value in _STAT.findall(output)}
    seen = _COVERAGE.findall(output)
    failure = None if worker.returncode == 0 else _last_words(output)
    reached: dict[str, Any] = {"lines": 0, "reached": 0, "missed": {}}
    if asked.lines and failure is None:
        try:
            reached = _printed("fuzz.lines", name, str(corpus))
        except subprocess.CalledProcessError as error:
            failure = _last_words(error.stderr)
    loop_cpu_s: float | None = None
    if load(name).loop_bytes and failure is None:
        try:
            loop_cpu_s = _printed("fuzz.grown", name)
        except subprocess.CalledProcessError as error:
            failure = _last_words(error.stderr)
    return Result(
        target=name,
        executions=stats.get("number_of_executed_units", 0),
        wall_s=round(wall_s, 1),
        cpu_s=round(usage.ru_utime + usage.ru_stime, 1),
        new=stats.get("new_units_added", 0),
        edges=int(seen[-1][0]) if seen else 0,
        lines=reached["lines"],
        reached=reached["reached"],
        missed=reached["missed"],
        loop_cpu_s=loop_cpu_s,
        failure=failure,
    )


def _plant(name: str, corpus: Path) -> None:
    """Write the seeds."""
    corpus.mkdir(exist_ok=True)
    for data in inputs(name, load(name)):
        (corpus / hashlib.sha1(data).hexdigest()).write_bytes(data)


def _dictionary(name: str) -> list[str]:
    """Return what lets libFuzzer know the format's words."""
    words = ["".join(f"\\x{byte:02x}" for byte in word) for word in load(name).words]
    path = CACHE / f"{name}.dict"
    path.write_text("".join(f'"{word}"\n' for word in words))
    return [f"-dict={path}"] if words else []


def _printed(module: str, *arguments: str) -> Any:
    """Run a module, and return the JSON that it prints."""
    found = subprocess.run(
        [sys.executable, "-m", module, *arguments], capture_output=True, text=True, check=True
    )
    return json.loads(found.stdout)


def _last_words(output: str, lines: int = 40) -> str:
    kept = [
        line for line in output.splitlines() if not line.startswith(("#", "INFO", "stat::", "0x"))
    ]
    return "\n".join(kept[-lines:])


def _show(result: Result) -> None:
    share = f"{result.reached} of {result.lines}" if result.lines else ""
    rate = round(result.executions / result.cpu_s) if result.cpu_s else 0
    figures = f"{result.executions:10} {rate:9} {result.new:6} {result.edges:6}"
    loop = "" if result.loop_cpu_s is None else f"{1000 * result.loop_cpu_s:.0f} ms"
    print(f"{result.target:16} {figures}  {share:13} {loop}", flush=True)
    if result.failure is not None:
        print(f"{result.target} is broken:\n{result.failure}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
