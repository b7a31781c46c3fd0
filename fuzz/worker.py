"""One target in one process under atheris.

``python -m fuzz.worker NAME CPU_SECONDS [libFuzzer's arguments]``; 0 s sets no limit.

Only the modules that a target is to reach are instrumented: all else would cost speed, and lead the
fuzzer astray. It has to be done before anything imports them.
"""

import sys
from collections.abc import Callable, Sequence
from random import Random

import atheris

from fuzz.cpu import INPUT_CPU_LIMIT_S, LOOP_CPU_LIMIT_S, bound_input, stop_after
from fuzz.instrumentation import instrumented
from fuzz.mutation import blind
from fuzz.target import Target, inputs, load, modules_of

_FRESH_SHARE = 0.1
"""Share of mutations that begin with a seed: the fuzzer sees no branch of C code, and
forgets inputs that show it nothing new."""


def main() -> None:
    """Fuzz until libFuzzer ends."""
    name, cpu_s, arguments = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
    with instrumented(modules_of(name)):
        target = load(name)
    known = inputs(name, target)
    warm_up = bound_input(target.run)
    for data in known:
        warm_up(data)
    run = bound_input(target.run, LOOP_CPU_LIMIT_S if target.loop_bytes else INPUT_CPU_LIMIT_S)
    atheris.Setup(
        [sys.argv[0], f"-max_len={target.max_bytes}", *arguments],
        stop_after(run, cpu_s) if cpu_s else run,
        custom_mutator=_mutator(target, known),
    )
    atheris.Fuzz()


def _mutator(target: Target, known: Sequence[bytes]) -> Callable[[bytes, int, int], bytes]:
    mutate = target.mutate or blind

    def custom(data: bytes, max_bytes: int, seed: int) -> bytes:
        def change(record: bytes) -> bytes:
            changed: bytes = atheris.Mutate(record, max_bytes)
            return changed

        rng = Random(seed)
        if rng.random() < _FRESH_SHARE:
            data = rng.choice(known)
        return mutate(bytes(data), rng, change)[:max_bytes]

    return custom


if __name__ == "__main__":
    main()
