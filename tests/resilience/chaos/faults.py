"""The classes of faults, and a seeded schedule.

Faults use signals, limits, a full disk and a clock with jumps. Only segmentation faults and memory
exhaustion come from inside a worker (:mod:`tests.support.faulty_engine`).
"""

import asyncio
import contextlib
import random
import resource
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import psutil

from bench.lib.service import Server
from tests.resilience.chaos.load import Load
from tests.support.network import Network, Outage

ASR, DECODE = "auricle.workers.kinds.asr.child", "auricle.workers.kinds.decode.child"
SLOW_S = (0.2, 1.0)
OUTAGE_S = (0.3, 2.0)
FULL_S = (0.5, 2.0)
JUMPS_S = (1, -1, 60, -60, 3600, -3600, 12 * 3600, -12 * 3600)
SPARE_DESCRIPTORS = 4
HOLDERS = 40
"""Idle connections that use up the descriptors."""
BLOCK = bytes(2**18)
MAX_BLOCKS = 1000


@dataclass
class World:
    """The targets of faults.

    Attributes:
        service: The server.
        load: Its clients.
        network: The network of clients that can resume.
        marks: The folder of :mod:`tests.support.faulty_engine`.
        disk: The server's upload folder, if it is a separate file system.
        clock: The file with the offset of the server's clock, if it has a separate one.
    """

    service: Server
    load: Load
    network: Network
    marks: Path
    disk: Path | None
    clock: Path | None
    offset_s: int = 0
    applied: list[tuple[float, str, str]] = field(default_factory=list)
    _active: set[str] = field(default_factory=set)

    def workers(self, program: str) -> list[psutil.Process]:
        """Return the server's workers of a kind, in the order of their start."""
        return workers_of(self.service, program)

    async def apply(self, fault: "Fault", dice: random.Random, at: float) -> None:
        """Apply a fault unless the same one is active, and record it."""
        if fault.name in self._active:
            return
        self._active.add(fault.name)
        try:
            done = await fault.apply(self, dice)
        finally:
            self._active.discard(fault.name)
        if done is not None:
            self.applied.append((at, fault.name, done))

    def end_faults(self) -> None:
        """Continue stopped workers: the server would notice an idle one after minutes only."""
        for program in (ASR, DECODE):
            for worker in self.workers(program):
                _signal(worker, signal.SIGCONT)
        for mark in self.marks.iterdir():
            mark.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Fault:
    """A class of fault.

    Attributes:
        name: Of the class.
        weight: Its frequency relative to the others.
        apply: Applies it; returns a description, or ``None`` if it was impossible.
        kills: Whether a worker dies at once; a stopped one lives until its budget expires.
    """

    name: str
    weight: int
    apply: Callable[[World, random.Random], Awaitable[str | None]]
    kills: bool = False


def workers_of(server: Server, program: str) -> list[psutil.Process]:
    """Return a server's workers of a kind, in the order of their start."""
    workers = []
    with contextlib.suppress(psutil.Error):
        for child in server.process.children():
            with contextlib.suppress(psutil.Error):
                if any(program in argument for argument in child.cmdline()):
                    workers.append(child)
    return sorted(workers, key=lambda child: child.pid)


def _signal(process: psutil.Process, number: signal.Signals) -> bool:
    try:
        process.send_signal(number)
    except psutil.Error:
        return False
    return True


def _sender(
    program: str, number: signal.Signals
) -> Callable[[World, random.Random], Awaitable[str | None]]:
    async def apply(world: World, dice: random.Random) -> str | None:
        workers = world.workers(program)
        if not workers or not _signal(dice.choice(workers), number):
            return None
        return number.name

    return apply


def _slower(program: str) -> Callable[[World, random.Random], Awaitable[str | None]]:
    async def apply(world: World, dice: random.Random) -> str | None:
        workers, seconds = world.workers(program), dice.uniform(*SLOW_S)
        if not workers:
            return None
        victim = dice.choice(workers)
        if not _signal(victim, signal.SIGSTOP):
            return None
        await asyncio.sleep(seconds)
        _signal(victim, signal.SIGCONT)
        return f"{seconds:.1f} s"

    return apply


def _marker(name: str) -> Callable[[World, random.Random], Awaitable[str | None]]:
    async def apply(world: World, dice: random.Random) -> str | None:
        mark = world.marks / name
        if mark.exists():  # no batch since the last one
            return None
        mark.touch()
        return "in the next batch"

    return apply


async def _disconnect(world: World, dice: random.Random) -> str:
    return world.load.disconnect_client(dice)


async def _fail_network(world: World, dice: random.Random) -> str:
    outage, seconds = dice.choice(list(Outage)), dice.uniform(*OUTAGE_S)
    await world.network.fail(outage, seconds)
    return f"{outage} {seconds:.1f} s"


async def _jump(world: World, dice: random.Random) -> str | None:
    if world.clock is None:
        return None
    jump_s = dice.choice(JUMPS_S)
    world.offset_s += jump_s
    world.clock.write_text(f"{world.offset_s:+d}\n")
    return f"{jump_s:+d} s"


async def _fill(world: World, dice: random.Random) -> str | None:
    if world.disk is None:
        return None
    seconds, filler = dice.uniform(*FULL_S), world.disk / "filler"
    try:
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            for _ in range(MAX_BLOCKS):  # more than fits
                file.write(BLOCK)
                await asyncio.sleep(0)
        await asyncio.sleep(seconds)
    finally:
        filler.unlink(missing_ok=True)
    return f"{seconds:.1f} s"


async def _take_descriptors(world: World, dice: random.Random) -> str:
    process, seconds = world.service.process, dice.uniform(*FULL_S)
    limits = process.rlimit(resource.RLIMIT_NOFILE)
    holders: list[socket.socket] = []
    process.rlimit(resource.RLIMIT_NOFILE, (process.num_fds() + SPARE_DESCRIPTORS, limits[1]))
    try:
        for _ in range(HOLDERS):
            holder = socket.socket()
            holders.append(holder)
            holder.setblocking(False)
            holder.connect_ex(("127.0.0.1", world.load.site.port))
        await asyncio.sleep(seconds)
    finally:
        for holder in holders:
            holder.close()
        process.rlimit(resource.RLIMIT_NOFILE, limits)
    return f"{seconds:.1f} s"


FAULTS = (
    Fault("worker killed", 4, _sender(ASR, signal.SIGKILL), kills=True),
    Fault("worker stopped", 2, _sender(ASR, signal.SIGSTOP)),
    Fault("worker segfaults", 1, _marker("segfault"), kills=True),
    Fault("worker eats memory", 1, _marker("memory"), kills=True),
    Fault("worker slowed", 2, _slower(ASR)),
    Fault("decoder killed", 2, _sender(DECODE, signal.SIGKILL)),
    Fault("decoder stopped", 1, _sender(DECODE, signal.SIGSTOP)),
    Fault("decoder slowed", 1, _slower(DECODE)),
    Fault("client disconnects", 3, _disconnect),
    Fault("network fails", 1, _fail_network),
    Fault("clock jumps", 2, _jump),
    Fault("disk fills", 1, _fill),
    Fault("descriptors run out", 1, _take_descriptors),
)


@dataclass(frozen=True, slots=True)
class ScheduledFault:
    """A fault of the schedule, and the seed for its parameters."""

    at_s: float
    fault: Fault
    seed: int


def schedule(
    dice: random.Random, seconds: float, each_s: float, faults: Mapping[Fault, int] | None = None
) -> list[ScheduledFault]:
    """Return faults at random times, one every ``each_s`` on average, by their weights.

    Args:
        dice: The same state gives the same schedule.
        seconds: Length of the schedule.
        each_s: Mean interval.
        faults: The classes and their weights; default: all.
    """
    weights = faults or {fault: fault.weight for fault in FAULTS}
    planned: list[ScheduledFault] = []
    deck: list[Fault] = []
    for index in range(int(seconds / each_s)):
        if not deck:
            deck = [fault for fault, weight in weights.items() for _ in range(weight)]
            dice.shuffle(deck)
        at_s = (index + dice.random()) * each_s
        planned.append(ScheduledFault(at_s, deck.pop(), dice.getrandbits(32)))
    return planned


async def run_schedule(world: World, planned: list[ScheduledFault]) -> None:
    """Apply each fault when it is due; return when the last one is over."""
    loop = asyncio.get_running_loop()
    began_at = loop.time()
    async with anyio.create_task_group() as group:
        for scheduled in planned:
            await asyncio.sleep(max(0.0, began_at + scheduled.at_s - loop.time()))
            group.start_soon(
                world.apply, scheduled.fault, random.Random(scheduled.seed), loop.time()
            )
