"""Faults of the processes that recognise: killed, hung for good, stopped for a while.

Where a server has several of them, all fail at once: in most servers one process recognises all
sessions, and one of several may have nothing to do at that moment.
"""

import asyncio
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil

from stt_resilience.cases.base import Bench, NotApplicable, Outcome, disturb, outcome
from stt_resilience.client import Take, delays
from stt_resilience.process import Server

RESTART_S = 1.0
"""After which the suite starts a server again that has died: what service managers do."""
STOP_S = 5.0
POLL_S = 0.2


@dataclass(slots=True)
class Fault:
    """What was done, and what the server did then; times from the fault.

    Attributes:
        processes: How many processes failed.
        ended: How many of them the server had ended before they continued.
        ended_s: Until the last of these had ended.
        restarted_s: Until the suite had started the server again.
    """

    processes: int = 0
    ended: int = 0
    ended_s: float | None = None
    restarted_s: float | None = None


def _send(server: Server, fault: Fault, number: signal.Signals) -> list[psutil.Process]:
    """Send a signal to all workers, and return them."""
    workers = server.workers()
    if not workers:
        raise NotApplicable(f"no process matches {server.spec.worker.matching}")
    for worker in workers:
        with suppress(psutil.NoSuchProcess):
            worker.send_signal(number)
    fault.processes = len(workers)
    return workers


def _running(workers: Sequence[psutil.Process]) -> list[psutil.Process]:
    return [worker for worker in workers if _runs(worker)]


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def _restart_if_dead(server: Server, fault: Fault, since_s: float) -> None:
    """Start the server again if it has ended, with its data."""
    if await server.wait(RESTART_S) is None:
        return
    await asyncio.sleep(RESTART_S)
    await server.start(keep_data=True)
    fault.restarted_s = time.monotonic() - since_s


def _lines(bench: Bench, fault: Fault, take: Take) -> list[str]:
    server = bench.our_server()
    if server.spec.worker.process == "itself":
        kind = "the server itself"
    else:
        kind = f"its {fault.processes} workers"
    lines = [f"fault of {kind}"]
    if fault.restarted_s is not None:
        lines.append(f"the suite restarted it; ready after {fault.restarted_s:.1f} s")
    delay_s = delays(bench.talk, take)[bench.struck]
    when = "never" if delay_s is None else f"{delay_s:.1f} s after its end"
    return [*lines, f"final of the utterance with the fault: {when}"]


async def worker_killed(bench: Bench) -> Outcome:
    """Kill the workers in the middle of a word."""
    server, fault = bench.our_server(), Fault()

    async def kill() -> None:
        await asyncio.sleep(bench.fault_s())
        since_s = time.monotonic()
        _send(server, fault, signal.SIGKILL)
        await _restart_if_dead(server, fault, since_s)

    seen = await disturb(bench, kill)
    return outcome(bench, seen, *_lines(bench, fault, seen.main), restarted_s=fault.restarted_s)


async def worker_hung(bench: Bench) -> Outcome:
    """Stop the workers for good; only a watchdog of the server or an operator can notice it."""
    server, fault = bench.our_server(), Fault()

    async def hang() -> None:
        await asyncio.sleep(bench.fault_s())
        since_s = time.monotonic()
        workers = _send(server, fault, signal.SIGSTOP)
        while running := _running(workers):
            if fault.ended != (ended := len(workers) - len(running)):
                fault.ended, fault.ended_s = ended, time.monotonic() - since_s
            await asyncio.sleep(POLL_S)
        fault.ended, fault.ended_s = len(workers), time.monotonic() - since_s

    seen = await disturb(bench, hang)
    noticed = "the server left them as they were"
    if fault.ended:
        noticed = f"the server ended {fault.ended} of them, the last after {fault.ended_s:.1f} s"
    lines = _lines(bench, fault, seen.main)
    return outcome(bench, seen, *lines, noticed, ended=fault.ended, ended_s=fault.ended_s)


async def worker_stopped(bench: Bench) -> Outcome:
    """Stop the workers for some seconds, then let them continue."""
    server, fault = bench.our_server(), Fault()

    async def stop() -> None:
        await asyncio.sleep(bench.fault_s())
        workers = _send(server, fault, signal.SIGSTOP)
        await asyncio.sleep(STOP_S)
        running = _running(workers)
        fault.ended = len(workers) - len(running)
        for worker in running:
            with suppress(psutil.NoSuchProcess):
                worker.send_signal(signal.SIGCONT)

    seen = await disturb(bench, stop)
    ended = [f"the server ended {fault.ended} of them before"] if fault.ended else []
    return outcome(bench, seen, *_lines(bench, fault, seen.main), *ended, ended=fault.ended)


async def server_killed(bench: Bench) -> Outcome:
    """Kill the server in the middle of a word, with all its processes, and start it again."""
    server, fault = bench.our_server(), Fault()

    async def kill() -> None:
        await asyncio.sleep(bench.fault_s())
        since_s = time.monotonic()
        server.kill_all()
        await asyncio.sleep(RESTART_S)
        await server.start(keep_data=True)
        fault.restarted_s = time.monotonic() - since_s

    seen = await disturb(bench, kill)
    lines = _lines(bench, fault, seen.main)[1:]
    return outcome(bench, seen, *lines, restarted_s=fault.restarted_s)
