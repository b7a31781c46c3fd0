"""Large inputs of targets that the event loop reads: ``python -m fuzz.grown NAME``.

A fuzzer's inputs are short, and work that grows with the square of their length is quick. So a part
of each known input is repeated until it has the size of a large message. That is done without
atheris, which would slow it down. Prints the CPU time of the slowest as JSON; one that takes longer
than ``LOOP_CPU_LIMIT_S`` is left in ``.cache/fuzz/found``.
"""

import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random

from fuzz.cpu import LOOP_CPU_LIMIT_S, TooSlow, bound_input
from fuzz.target import inputs, load

FOUND = Path(".cache/fuzz/found")
VARIANTS = 10
"""Inputs that are grown from each known one."""


def grown(data: bytes, size_bytes: int, rng: Random) -> bytes:
    """Return an input of at most this size in which a part of ``data`` is repeated."""
    start, end = sorted(rng.sample(range(len(data) + 1), 2))
    part = data[start:end]
    times = max(1, (size_bytes - len(data)) // len(part) + 1)
    return data[:start] + part * times + data[end:]


def slowest(
    run: Callable[[bytes], None], known: Iterable[bytes], size_bytes: int
) -> tuple[float, bytes]:
    """Return the CPU time of the slowest grown input, in seconds, and this input."""
    rng = Random(1)
    most_s, worst = 0.0, b""
    for data in known:
        run(data)  # what is imported or compiled once
        for _ in range(VARIANTS if data else 0):
            each = grown(data, size_bytes, rng)
            began_at = time.process_time()
            try:
                run(each)
            except TooSlow:
                return max(LOOP_CPU_LIMIT_S, time.process_time() - began_at), each
            used_s = time.process_time() - began_at
            if used_s > most_s:
                most_s, worst = used_s, each
    return most_s, worst


def main() -> None:
    """Try a target."""
    name = sys.argv[1]
    target = load(name)
    run = bound_input(target.run, LOOP_CPU_LIMIT_S)
    used_s, worst = slowest(run, inputs(name, target), target.loop_bytes)
    if used_s >= LOOP_CPU_LIMIT_S:
        path = FOUND / f"{name}-slow-{hashlib.sha1(worst).hexdigest()}"
        path.write_bytes(worst)
        sys.exit(f"{path}: {used_s:.2f} s of CPU time on the event loop")
    print(json.dumps(round(used_s, 3)))


if __name__ == "__main__":
    main()
