"""Auricle with a clock that goes many times as fast: a day in minutes.

    python -m bench.soak.fast_clock SPEED serve

Everything in the server reads ``time.monotonic`` and ``time.time`` and waits in the event loop's
selector; here the clocks run faster and the selector sleeps for less. So every limit, interval and
grace time passes as it would in a day, while sockets, processes and workers are the real ones.
Workers have the usual clock: what a worker does takes SPEED times as long for the server, so the
limits that workers are held to have to be given in its hours (``SLOWED``).
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
"""Settings under which a machine that is busy for a second looks like that and not like a fault."""


def hurry(speed: float) -> None:
    """Let this process's time pass so many times as fast from now on."""
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
    hurry(float(sys.argv.pop(1)))
    from auricle.cli import app  # after the clock, in case somebody binds it at import

    app()


if __name__ == "__main__":
    main()
