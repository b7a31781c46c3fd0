"""Auricle with an accelerated clock: a day in minutes.

    python -m bench.soak.fast_clock SPEED serve

The server reads ``time.monotonic`` and ``time.time`` and waits in the event loop's selector; here
the clocks run faster and the selector waits for less. So every limit, interval and grace period
passes as in a day, while sockets, processes and workers are real. Workers have the normal clock: a
batch takes SPEED times as long on the server's clock, so the time limits of workers have to be
longer (``SLOWED``).
"""

import selectors
import sys
import time

SLOWED = {
    "start_budget_s": 10**6,
    "job_timeout_min_s": 10**6,
    "decode_budget_s": 10**6,
    "max_wait_s": 10**5,
    "body_timeout_s": 10**5,
    "idle_timeout_s": 3600,
    "resume_grace_s": 3600,
}
"""Settings with which a second of load on the machine does not count as a fault."""


def accelerate(speed: float) -> None:
    """Accelerate this process's clocks from now on."""
    monotonic, wall, select = time.monotonic, time.time, selectors.DefaultSelector.select
    began_at, began_wall = monotonic(), wall()

    def fast_select(
        selector: selectors.DefaultSelector, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        return select(selector, None if timeout is None else timeout / speed)

    time.monotonic = lambda: began_at + (monotonic() - began_at) * speed
    time.time = lambda: began_wall + (wall() - began_wall) * speed
    selectors.DefaultSelector.select = fast_select  # type: ignore[assignment]  # on purpose


def main() -> None:
    accelerate(float(sys.argv.pop(1)))
    from bench.lib import fixed_values  # after the clock, which a module may bind on import

    fixed_values.main()


if __name__ == "__main__":
    main()
