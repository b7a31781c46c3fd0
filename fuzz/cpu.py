"""Bounds on CPU time, which don't depend on who else uses the machine."""

import os
import signal
import time
from collections.abc import Callable
from types import FrameType

INPUT_CPU_LIMIT_S = 5.0
"""One input takes a millisecond; one that takes this long hangs the parser."""

LOOP_CPU_LIMIT_S = 0.2
"""The same for what the event loop runs: all clients wait meanwhile."""

_CHECK_EVERY = 256
"""Inputs between two looks at the clock."""


class TooSlow(BaseException):
    """An input takes too much CPU time. No ``except Exception`` of what is fuzzed catches it."""


def bound_input(
    run: Callable[[bytes], None], limit_s: float = INPUT_CPU_LIMIT_S
) -> Callable[[bytes], None]:
    """Return ``run``, which now raises :class:`TooSlow` after this much CPU time.

    It takes over ``SIGPROF`` and works between two bytecodes in the main thread only; libFuzzer's
    own timeout ends an input that hangs in C.
    """

    def stop(signum: int, frame: FrameType | None) -> None:
        raise TooSlow(f"An input takes more than {limit_s:g} s of CPU time.")

    signal.signal(signal.SIGPROF, stop)

    def bounded(data: bytes) -> None:
        signal.setitimer(signal.ITIMER_PROF, limit_s)
        try:
            run(data)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)

    return bounded


def stop_after(
    run: Callable[[bytes], None],
    limit_s: float,
    stop: Callable[[], None] = lambda: os.kill(os.getpid(), signal.SIGUSR1),
) -> Callable[[bytes], None]:
    """Return ``run``, which calls ``stop`` once the process has used this much CPU time.

    The default lets libFuzzer end as if it had run all inputs: it prints its statistics.
    """
    inputs = 0

    def counted(data: bytes) -> None:
        nonlocal inputs
        inputs += 1
        run(data)
        if not inputs % _CHECK_EVERY and time.process_time() > limit_s:
            stop()

    return counted
