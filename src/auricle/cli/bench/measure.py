"""The order of the measurements of ``auricle bench``."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from auricle import __version__
from auricle.audio.opus import find_libopus
from auricle.cli.bench.file import Recording, file_speed
from auricle.cli.bench.levels import LevelSearch, first_level
from auricle.cli.bench.play import Level, play_level
from auricle.cli.bench.report import BenchResult
from auricle.cli.bench.score import MAX_P95_S
from auricle.cli.bench.server import RunningServer, running_server
from auricle.cli.bench.target import Target
from auricle.cli.bench.yardstick import measure_yardstick
from auricle.cli.support.speech_clip import speech_clip
from auricle.config.settings import Settings
from auricle.engines.placement import measured_of


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    Attributes:
        level_s: Length of a level, in seconds; later sentences do not count.
        levels: Maximum number of levels with partials.
        levels_without: Maximum number of levels without partials.
        rounds: Rounds of the yardstick.
        is_quick: Whether the file is short.
        streams: The first level; ``None``: by the speed for recordings.
    """

    level_s: float
    levels: int
    levels_without: int
    rounds: int
    is_quick: bool

    streams: int | None = None

    def only(self, streams: int) -> "Plan":
        """Return the plan for this number of streams only."""
        return replace(self, levels=1, levels_without=1, streams=streams)


FULL = Plan(14.0, 4, 2, 2, is_quick=False)
QUICK = Plan(9.0, 2, 0, 1, is_quick=True)


@dataclass(frozen=True, slots=True)
class Listener:
    """Where progress is reported.

    Attributes:
        status: Called with what is being measured.
        result: Called with the result so far, after each measurement.
    """

    status: Callable[[str], None]
    result: Callable[[BenchResult], None]


async def measure(
    settings: Settings, target: Target, plan: Plan, listener: Listener
) -> BenchResult:
    """Measure a model on this machine.

    Args:
        settings: All settings.
        target: The model.
        plan: How much is measured.
        listener: Where progress is reported.

    Raises:
        AuricleError: The server can't be started, or failed.
    """
    result = BenchResult(
        version=__version__,
        measured_at=time.time(),
        of=measured_of(target.placement),
        is_quick=plan.is_quick,
    )
    listener.status("Measuring the yardstick: faster-whisper on one core…")
    result.yardstick = await measure_yardstick(settings, plan.rounds)
    listener.status("Starting the server…")
    async with running_server(settings) as server:
        bench = _Bench(settings, target, plan, listener, server, result)
        await bench.measure_file()
        await bench.measure_live()
    return result


@dataclass(frozen=True, slots=True)
class _Bench:
    """The measurements of one server."""

    settings: Settings
    target: Target
    plan: Plan
    listener: Listener
    server: RunningServer
    result: BenchResult

    async def measure_file(self) -> None:
        self.listener.status("Transcribing a recording…")
        recording = Recording(speech_clip(), find_libopus(self.settings.decode.libopus))
        self.result.file_speed, self.result.file_s = await file_speed(
            self.server.url, recording, self.target.name, is_quick=self.plan.is_quick
        )
        self.listener.result(self.result)

    async def measure_live(self) -> None:
        workers = self.result.of.workers
        file_workers = self.settings.queue.file_workers or max(1, workers - 1)
        speed_of_all = self.result.file_speed * workers / min(workers, file_workers)
        first = self.plan.streams or first_level(speed_of_all)
        self.result.streams = await self._search(first, self.plan.levels, has_partials=True)
        if self.plan.levels_without:
            self.result.streams_without = await self._search(
                self.plan.streams or max(1, self.result.streams),
                self.plan.levels_without,
                has_partials=False,
            )

    async def _search(self, first: int, max_levels: int, *, has_partials: bool) -> int:
        search = LevelSearch(first, max_levels)
        while (streams := search.next_level()) is not None:
            kind = "with" if has_partials else "without"
            self.listener.status(f"Playing {streams} live streams {kind} partials…")
            level = Level(streams, has_partials, self.plan.level_s, self.target.name)
            played = await play_level(self.server.url, self.server.process, speech_clip(), level)
            search.add(streams, played.p95_s, MAX_P95_S)
            self.result.levels.append(played)
            self.listener.result(self.result)
        return search.holds
